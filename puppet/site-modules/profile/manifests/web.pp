# @summary nginx ahead of the services, with TLS.
#
# @param domain
#   Each service is a name below it.
# @param services
#   Those that it stands ahead of.
# @param certificate
#   Where the certificate is, with those that it hangs on.
# @param private_key
#   Where its key is.
# @param certificate_text
#   The certificate itself, where no other program brings it.
# @param private_key_text
#   Its key, likewise.
class profile::web (
  Pattern[/\A[a-z0-9-]+(\.[a-z0-9-]+)*\z/] $domain,
  Array[String[1], 1] $services = lookup('profile::services::services'),
  Glassware::Path $certificate = "/etc/letsencrypt/live/${domain}/fullchain.pem",
  Glassware::Path $private_key = "/etc/letsencrypt/live/${domain}/privkey.pem",
  Optional[Glassware::Secret] $certificate_text = undef,
  Optional[Sensitive[Glassware::Secret]] $private_key_text = undef,
) {
  package { 'nginx':
    ensure => installed,
  }

  if $certificate_text and $private_key_text {
    file {
      default:
        ensure    => file,
        owner     => 'root',
        group     => 'root',
        show_diff => false,
        backup    => false,
        require   => Package['nginx'],
        notify    => Service['nginx'],
        ;
        $certificate:
          mode    => '0644',
          content => $certificate_text,
        ;
        $private_key:
          mode    => '0600',
          content => $private_key_text,
    }
  }

  file {
    default:
      require => Package['nginx'],
      notify  => Service['nginx'],
      ;
      '/etc/nginx/sites-available/glassware':
        ensure  => file,
        owner   => 'root',
        group   => 'root',
        mode    => '0644',
        content => epp('profile/site.conf.epp', {
          'domain'      => $domain,
          'services'    => $services,
          'certificate' => $certificate,
          'private_key' => $private_key,
        }),
      ;
      '/etc/nginx/sites-enabled/glassware':
        ensure => link,
        target => '../sites-available/glassware',
      ;
      '/etc/nginx/sites-enabled/default':
        ensure => absent,
  }

  service { 'nginx':
    ensure  => running,
    enable  => true,
    restart => 'nginx -t && systemctl reload nginx',
  }

  # The certificate that is there must be the one that is served, and good for the name today.
  $services.each |$service| {
    glassware::gate { "https://${service}.${domain}":
      url     => "https://${service}.${domain}/health/ready",
      options => "--connect-to ::127.0.0.1: --cacert ${certificate}",
      require => Service['nginx'],
    }
  }
}
