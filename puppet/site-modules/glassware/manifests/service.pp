# @summary A service: configuration, secrets, package, units, and that it is well. Use its class.
#
# The package migrates the database and starts the service, so what it needs for that comes first.
#
# @param settings
#   Options by section.
# @param secrets
#   Files by the name of the option.
# @param worker
#   Whether it has jobs, which a process of its own does.
define glassware::service (
  Hash[String, Hash[String, Data]] $settings,
  Sensitive[Hash[String, String]] $secrets,
  Boolean $worker = false,
) {
  require glassware

  $package = "glassware-${title}"
  $ini = "/etc/glassware/${title}.ini"
  $folder = "/etc/glassware/credentials/${title}"
  # The pin says which one the latest is.
  $ensure = $glassware::version ? {
    undef   => installed,
    default => latest,
  }

  file {
    default:
      owner  => 'root',
      group  => 'root',
      before => Package[$package],
    ;
    $ini:
      ensure  => file,
      mode    => '0644',
      content => epp('glassware/service.ini.epp', { 'service' => $title, 'settings' => $settings }),
    ;
    $folder:
      ensure => directory,
      mode   => '0700',
  }

  $secrets.unwrap.each |$name, $text| {
    file { "${folder}/${name}":
      ensure    => file,
      owner     => 'root',
      group     => 'root',
      mode      => '0600',
      content   => Sensitive("${text}\n"),
      show_diff => false,
      backup    => false,
      before    => Package[$package],
    }
  }

  package { $package:
    ensure          => $ensure,
    install_options => ['--allow-downgrades'],
  }

  $worker_units = $worker ? {
    true    => ["${package}-worker.service"],
    default => [],
  }
  service { ["${package}.socket", "${package}.service", "${package}-clean.timer"] + $worker_units:
    ensure  => running,
    enable  => true,
    require => Package[$package],
  }

  # A reload loses no request, but only a restart brings a new secret. What failed is tried again by the
  # next run, and files that somebody else has changed count as well.
  $marker = "/var/lib/glassware/.${title}.taken-up"
  $all = "${ini} /etc/glassware/${title}.d ${folder}"
  exec { "${package}: take up the configuration":
    command  => @("END"),
      touch ${marker}.new
      if [ -e ${marker} ] && [ -z "$(find ${folder} -newer ${marker})" ]; then
          systemctl reload-or-restart ${package}
      else
          systemctl restart ${package}
      fi && systemctl try-restart '${package}-worker*' && mv ${marker}.new ${marker}
      | END
    unless   => "[ -e ${marker} ] && [ -z \"\$(find ${all} -newer ${marker})\" ]",
    provider => shell,
    path     => ['/usr/bin', '/bin'],
    require  => Service["${package}.service"],
  }

  glassware::gate { $package:
    url     => 'http://127.0.0.1/health/ready',
    options => "--unix-socket /run/glassware/${title}.sock",
    require => Exec["${package}: take up the configuration"],
  }
}
