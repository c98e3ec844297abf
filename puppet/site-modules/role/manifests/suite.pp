# @summary The whole suite on one machine: database, services, web server.
class role::suite {
  contain glassware
  contain profile::database
  contain profile::services
  contain profile::web

  # A service that is sick must not keep the others from their web server.
  Class['glassware'] -> Class['profile::database'] -> Class['profile::services']
  Class['glassware'] -> Class['profile::web']
}
