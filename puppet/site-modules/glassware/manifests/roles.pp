# @summary The SQL that makes a service's database and its roles.
class glassware::roles {
  file { '/usr/local/share/glassware-roles.sql':
    ensure => file,
    owner  => 'root',
    group  => 'root',
    mode   => '0644',
    source => 'puppet:///modules/glassware/roles.sql',
  }
}
