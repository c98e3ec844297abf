# @summary What must answer well before the run is a good one.
#
# @param url
#   What is asked.
# @param options
#   For curl.
define glassware::gate (
  Pattern[/\Ahttps?:/] $url,
  String $options = '',
) {
  require glassware

  $curl = "curl -sS --fail-with-body --max-time 10 ${options} ${url}"

  # A machine that is busy for a moment has not changed.
  exec { "${title} is well":
    command   => $curl,
    unless    => "${curl} --retry 2 --retry-delay 1 --retry-all-errors",
    path      => ['/usr/bin', '/bin'],
    tries     => $glassware::patience,
    try_sleep => 1,
    logoutput => on_failure,
  }
}
