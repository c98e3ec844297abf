##@ Puppet

puppet-types: setup ## write what the Puppet module has from the code: types of the options, roles, site
	@$(bin)/python tools/puppet.py
	@tools/need puppet-strings
	@tools/puppet-reference

test-puppet: setup ## check puppet/: syntax, style, catalogues, reference, r10k
	@tools/need puppet-agent puppet-lint puppet-strings r10k ruby-rspec-puppet
	@$(timed) puppet tools/test-puppet
	@$(timed) settings $(pytest) -q -m puppet tests/puppet

test-puppet-apply: deb ## one puppet apply on a bare Debian machine; again; after drift; when sick (as root)
	@tools/need apt-utils gnupg mmdebstrap openssh-client openssl systemd-container
	@$(timed) apply tests/puppet/apply

.PHONY: puppet-types test-puppet test-puppet-apply
