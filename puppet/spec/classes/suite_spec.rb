require 'spec_helper'

describe 'role::suite' do
  it { is_expected.to compile.with_all_deps }
end
