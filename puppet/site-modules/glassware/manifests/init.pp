# @summary Where the packages come from, and what holds for every service.
#
# @param repository
#   URL of the signed repository that `make publish` keeps.
# @param repository_key
#   The key that signs it, armored. Nothing else is believed.
# @param version
#   The version of every package of the suite; the machine stays at it, whoever upgrades. Without one, the
#   newest is installed, and then left alone.
# @param patience
#   Seconds for a service to become well, before the run is a failed one.
class glassware (
  Pattern[/\A(https?|file):\S+\z/] $repository,
  Pattern[/\A-----BEGIN PGP PUBLIC KEY BLOCK-----/] $repository_key,
  Optional[Pattern[/\A[0-9][\w.+~-]*\z/]] $version = undef,
  Integer[1] $patience = 20,
) {
  [$pin, $wanted] = $version ? {
    undef   => [absent, '|'],
    default => [file, $version],
  }

  file {
    default:
      ensure => file,
      owner  => 'root',
      group  => 'root',
      mode   => '0644',
      before => Exec['glassware: read what there is to install'],
    ;
    '/etc/apt/glassware.asc':
      content => $repository_key,
    ;
    '/etc/apt/sources.list.d/glassware.list':
      content => "deb [signed-by=/etc/apt/glassware.asc] ${repository} ./\n",
    ;
    # More than 1000 goes back, too.
    '/etc/apt/preferences.d/glassware':
      ensure  => $pin,
      content => "Package: glassware glassware-*\nPin: version ${version}\nPin-Priority: 1001\n",
  }

  file {
    default:
      ensure => directory,
      owner  => 'root',
      group  => 'root',
    ;
    '/etc/glassware':
      mode => '0755',
    ;
    '/etc/glassware/credentials':
      mode => '0700',
  }

  # The gate asks by it.
  package { 'curl':
    ensure  => installed,
    require => Exec['glassware: read what there is to install'],
  }

  # A version that is not to be had must fail here: apt would take another one.
  $known = "apt-cache madison glassware-common | grep -F ' ${repository} ./ ' | grep -qF ' ${wanted} '"
  exec { 'glassware: read what there is to install':
    command   => "apt-get -q update && ${known}",
    unless    => $known,
    provider  => shell,
    path      => ['/usr/bin', '/bin'],
    logoutput => on_failure,
  }
}
