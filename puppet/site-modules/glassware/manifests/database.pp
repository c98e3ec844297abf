# @summary A service's database and its two roles, in a PostgreSQL of this machine.
define glassware::database {
  require glassware::roles

  # The setting is what the file makes last.
  $made = "SELECT 1 FROM pg_roles WHERE rolname = '${title}_migrate' AND rolconfig IS NOT NULL"

  exec { "the database ${title}":
    command => "psql -X -q -v service=${title} -f /usr/local/share/glassware-roles.sql",
    unless  => "psql -X -tAc \"${made}\" | grep -q 1",
    user    => 'postgres',
    cwd     => '/',
    path    => ['/usr/bin', '/bin'],
  }
}
