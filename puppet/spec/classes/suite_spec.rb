require 'spec_helper'

describe 'role::suite' do
  it { is_expected.to compile.with_all_deps }

  it 'has each service ready before its web server is asked for it' do
    %w[archives auth tasks].each do |service|
      is_expected.to contain_package("glassware-#{service}").with_ensure('latest')
      is_expected.to contain_file("/etc/glassware/#{service}.ini").that_comes_before("Package[glassware-#{service}]")
      is_expected.to contain_service("glassware-#{service}.service").with(ensure: 'running', enable: true)
      is_expected.to contain_exec("https://#{service}.glassware.example is well")
    end
  end

  it 'has what has expired deleted' do
    %w[archives auth tasks].each do |service|
      is_expected.to contain_service("glassware-#{service}-clean.timer").with(ensure: 'running', enable: true)
    end
  end

  it 'has a worker where there are jobs' do
    is_expected.to contain_service('glassware-archives-worker.service').with(ensure: 'running', enable: true)
    is_expected.not_to contain_service('glassware-tasks-worker.service')
  end

  it 'has the databases before what migrates them' do
    %w[archives auth tasks].each do |service|
      is_expected.to contain_exec("the database #{service}").that_comes_before("Package[glassware-#{service}]")
    end
  end

  it 'puts the domain into the site, and leaves none of the example behind' do
    site = catalogue.resource('File', '/etc/nginx/sites-available/glassware')[:content]
    expect(site).to include('server_name .glassware.example;', '^(?<service>archives|auth|tasks)\.glassware\.example$')
    expect(site).not_to include('<%')
  end

  it 'pins the version' do
    is_expected.to contain_file('/etc/apt/preferences.d/glassware').with_content(/^Pin: version 0\.1\.0$/)
  end
end

describe 'glassware' do
  context 'without a version' do
    let(:hiera_config) { File.join(__dir__, '..', 'bare.yaml') }
    let(:params) { { repository: 'https://a.example', repository_key: '-----BEGIN PGP PUBLIC KEY BLOCK-----' } }

    it { is_expected.to compile.with_all_deps }
    it { is_expected.to contain_file('/etc/apt/preferences.d/glassware').with_ensure('absent') }
  end
end

describe 'glassware::tasks' do
  def self.refused(settings, reason)
    context "with #{settings}" do
      let(:params) { { settings: settings } }

      it { is_expected.to compile.and_raise_error(reason) }
    end
  end

  # What a typing error makes of a setting.
  refused({ 'pagin' => { 'limit' => 7 } }, /unrecognized key 'pagin'/)
  refused({ 'paging' => { 'limt' => 7 } }, /unrecognized key 'limt'/)
  refused({ 'paging' => { 'limit' => '7' } }, /expects an Integer/)
  refused({ 'paging' => { 'limit' => 0 } }, /expects an Integer\[1\]/)
  refused({ 'client' => { 'retry_share' => 1.5 } }, /expects a value of type Integer\[0, 1\] or Float\[0.0, 1.0\]/)
  refused({ 'fast' => { 'reads' => 'yes' } }, /expects a Boolean/)
  refused({ 'log' => { 'level' => 'LOUD' } }, /expects a match for Enum\['CRITICAL'/)
  refused({ 'auth' => { 'algorithms' => ['none'] } }, /expects a match for Enum/)
  refused({ 'auth' => { 'issuer' => "https://a\n[server]" } }, /expects a match for Glassware::Line/)
  refused({ 'server' => { 'trusted_hosts' => [] } }, /expects size to be at least 1/)
  refused({ 'server' => { 'proxies' => ['everywhere'] } }, /expects a match for Glassware::Network/)
  # These say something that has no effect under systemd, or in an INI file.
  refused({ 'server' => { 'port' => 8002 } }, /unrecognized key 'port'/)
  refused({ 'app' => { 'secret_key' => 'x' } }, /unrecognized key 'app'/)

  context 'with settings' do
    let(:params) { { settings: { 'paging' => { 'limit' => 7 }, 'auth' => { 'algorithms' => %w[ES256 RS256] } } } }

    it {
      is_expected.to contain_file('/etc/glassware/tasks.ini')
        .with_content(/^\[paging\]\nlimit = 7$/).with_content(/^algorithms = ES256, RS256$/).with_mode('0644')
    }
  end

  context 'with a secret' do
    let(:params) { { secrets: sensitive({ 'database.url' => 'postgresql+psycopg://u:hidden@h/t' }) } }
    let(:file) { '/etc/glassware/credentials/tasks/database.url' }

    it { is_expected.to contain_file(file).with(mode: '0600', owner: 'root', show_diff: false, backup: false) }

    it 'is marked as one in the catalogue' do
      expect(catalogue.resource('File', file).sensitive_parameters).to eq([:content])
    end
  end

  context 'with a mistyped secret' do
    let(:params) { { secrets: sensitive({ 'databse.url' => 'hidden' }) } }

    it { is_expected.to compile.and_raise_error(/\A(?!.*hidden)/m) }
  end

  context 'with a secret that is none' do
    let(:params) { { secrets: { 'database.url' => 'x' } } }

    it { is_expected.to compile.and_raise_error(/expects a Sensitive/) }
  end
end
