# Made by `make puppet-types`: do not edit.
#
# @summary Options of archives that may come from a file of their own.
type Glassware::Archives::Secrets = Struct[{
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
  Optional['siblings.tasks']          => Glassware::Secret,
  Optional['archives.store']          => Glassware::Secret,
  Optional['archives.s3_endpoint']    => Glassware::Secret,
  Optional['archives.s3_region']      => Glassware::Secret,
  Optional['archives.s3_access_key']  => Glassware::Secret,
  Optional['archives.s3_secret_key']  => Glassware::Secret,
}]
