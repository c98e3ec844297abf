# @summary The services of this machine.
#
# @param services
#   Their names.
class profile::services (
  Array[String[1], 1] $services,
) {
  $services.each |$service| {
    contain "glassware::${service}"
  }
}
