# Made by `make puppet-types`: do not edit.
#
# @summary Options of auth that may come from a file of their own.
type Glassware::Auth::Secrets = Struct[{
  Optional['service.public_url']      => Glassware::Secret,
  Optional['database.url']            => Glassware::Secret,
  Optional['database.migrations_url'] => Glassware::Secret,
  Optional['auth.issuer']             => Glassware::Secret,
  Optional['auth.client_id']          => Glassware::Secret,
  Optional['auth.client_secret']      => Glassware::Secret,
  Optional['auth.audience']           => Glassware::Secret,
  Optional['auth.jwks_url']           => Glassware::Secret,
  Optional['limits.default']          => Glassware::Secret,
  Optional['limits.storage']          => Glassware::Secret,
  Optional['jobs.broker']             => Glassware::Secret,
  Optional['traces.endpoint']         => Glassware::Secret,
  Optional['app.secret_key']          => Glassware::Secret,
  Optional['auth.key_secret']         => Glassware::Secret,
  Optional['mail.host']               => Glassware::Secret,
  Optional['mail.from']               => Glassware::Secret,
}]
