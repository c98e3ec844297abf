require 'rspec-puppet'

ROOT = File.expand_path('..', __dir__)
MODULE_PATH = File.join(ROOT, 'site-modules')

RSpec.configure do |config|
  config.module_path = MODULE_PATH
  config.environmentpath = File.join(ROOT, '..')
  config.strict_variables = true
  config.hiera_config = File.join(__dir__, 'hiera.yaml')
  config.default_facts = {
    'os' => { 'family' => 'Debian', 'name' => 'Debian', 'release' => { 'full' => '12', 'major' => '12' } },
    'osfamily' => 'Debian',
    'operatingsystem' => 'Debian',
    'operatingsystemmajrelease' => '12',
    'operatingsystemrelease' => '12',
    'kernel' => 'Linux',
    'service_provider' => 'systemd',
  }
end
