# Made by `make puppet-types`: do not edit.
#
# @summary Options of tasks, by section.
type Glassware::Tasks::Settings = Struct[{
  Optional['service']     => Struct[{
    Optional['mode']       => Enum['production', 'development'],
    Optional['public_url'] => Glassware::Line,
  }],
  Optional['server']      => Struct[{
    Optional['kind']          => Enum['gunicorn', 'granian'],
    Optional['workers']       => Integer[1],
    Optional['threads']       => Integer[1],
    Optional['trusted_hosts'] => Array[Glassware::Item, 1],
    Optional['cors_origins']  => Array[Glassware::Item],
    Optional['proxies']       => Array[Glassware::Network],
    Optional['max_body']      => Integer[1],
    Optional['timeout']       => Variant[Integer[1], Float[1.0]],
  }],
  Optional['database']    => Struct[{
    Optional['url']            => Glassware::Line,
    Optional['migrations_url'] => Glassware::Line,
  }],
  Optional['auth']        => Struct[{
    Optional['issuer']        => Glassware::Line,
    Optional['client_id']     => Glassware::Line,
    Optional['audience']      => Glassware::Line,
    Optional['algorithms']    => Array[Enum['ES256', 'RS256', 'EdDSA', 'HS256'], 1],
    Optional['leeway']        => Variant[Integer[0], Float[0.0]],
    Optional['signature_age'] => Variant[Integer[1], Float[1.0]],
    Optional['jwks_url']      => Glassware::Line,
    Optional['keys_refresh']  => Variant[Integer[1], Float[1.0]],
    Optional['keys_grace']    => Variant[Integer[1], Float[1.0]],
    Optional['keys_cooldown'] => Variant[Integer[0], Float[0.0]],
    Optional['keys_timeout']  => Variant[Integer[1], Float[0.01]],
  }],
  Optional['client']      => Struct[{
    Optional['timeout']          => Variant[Integer[1], Float[0.01]],
    Optional['retries']          => Integer[0],
    Optional['retry_share']      => Variant[Integer[0, 1], Float[0.0, 1.0]],
    Optional['breaker_failures'] => Integer[1],
    Optional['breaker_pause']    => Variant[Integer[0], Float[0.0]],
  }],
  Optional['limits']      => Struct[{
    Optional['default'] => Glassware::Line,
    Optional['storage'] => Glassware::Line,
  }],
  Optional['idempotency'] => Struct[{
    Optional['keep'] => Variant[Integer[1], Float[1.0]],
  }],
  Optional['fast']        => Struct[{
    Optional['dispatch'] => Boolean,
    Optional['tokens']   => Boolean,
    Optional['reads']    => Boolean,
    Optional['writes']   => Boolean,
  }],
  Optional['jobs']        => Struct[{
    Optional['threads']   => Integer[1],
    Optional['poll']      => Variant[Integer, Float],
    Optional['broker']    => Glassware::Line,
    Optional['lease']     => Variant[Integer, Float],
    Optional['keep']      => Variant[Integer, Float],
    Optional['per_owner'] => Integer[1],
  }],
  Optional['log']         => Struct[{
    Optional['level'] => Enum['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'],
  }],
  Optional['traces']      => Struct[{
    Optional['endpoint'] => Glassware::Line,
  }],
  Optional['metrics']     => Struct[{
    Optional['allow'] => Array[Glassware::Network],
  }],
  Optional['suite']       => Struct[{
    Optional['services'] => Array[Glassware::Item],
  }],
  Optional['paging']      => Struct[{
    Optional['limit']     => Integer[1],
    Optional['max_limit'] => Integer[1],
  }],
  Optional['siblings']    => Struct[{
    Optional['auth'] => Glassware::Line,
  }],
  Optional['tasks']       => Struct[{
    Optional['max_attachment']       => Integer[1, 1073741824],
    Optional['attachments_per_task'] => Integer[0],
  }],
}]
