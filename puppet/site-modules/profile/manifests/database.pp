# @summary PostgreSQL on this machine, where each service is known by its Unix user: no passwords.
#
# @param services
#   Those that have a database here.
# @param release
#   PostgreSQL's.
class profile::database (
  Array[String[1]] $services,
  Integer[13] $release = 15,
) {
  $etc = "/etc/postgresql/${release}/main"

  package { "postgresql-${release}":
    ensure => installed,
  }

  file {
    default:
      ensure  => file,
      owner   => 'postgres',
      group   => 'postgres',
      mode    => '0640',
      require => Package["postgresql-${release}"],
      notify  => Service['postgresql'],
      ;
      "${etc}/pg_hba.conf":
        content => epp('profile/pg_hba.conf.epp', { 'services' => $services }),
      ;
      "${etc}/pg_ident.conf":
        content => epp('profile/pg_ident.conf.epp', { 'services' => $services }),
  }

  service { 'postgresql':
    ensure  => running,
    enable  => true,
    restart => 'systemctl reload postgresql',
  }

  glassware::database { $services:
    require => Service['postgresql'],
  }
}
