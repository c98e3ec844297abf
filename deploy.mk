##@ Deploy

packaging := debhelper dh-virtualenv libarchive13 python3-pip python3-setuptools python3-venv python3-wheel

deb: wheelhouse ## build the Debian packages, of one service: make deb SERVICE=tasks
	@tools/need $(packaging)
	@$(timed) deb tools/deb $(SERVICE)
	@ls -sh1 build/debs/*.deb

wheelhouse: ## fetch all that the packages hold, by the locks; building then needs no network
	@tools/need python3-pip
	@$(timed) wheelhouse tools/wheelhouse

test-deb: deb ## check the packages: lintian, and a second build that gives the same bytes
	@tools/need lintian
	@tools/test-deb $(SERVICE)

test-newborn: setup wheelhouse ## make services from the template, build their packages, check them
	@tools/need $(packaging) lintian
	@$(timed) newborn tools/test-newborn

# Of another Debian than 12: make system-test SUITE=trixie
SUITE ?= bookworm

system-test: $(if $(filter bookworm,$(SUITE)),deb,deb-in) ## boot a Debian machine: install, upgrade under load, cut its power ... (as root)
	@tools/need apt-utils gnupg mmdebstrap piuparts systemd-container
	@$(timed) system-test env SUITE=$(SUITE) tests/system/run

deb-in:
	@tools/need mmdebstrap python3-pip systemd-container
	@$(timed) "deb $(SUITE)" tools/deb-in $(SUITE)

.PHONY: deb deb-in wheelhouse test-deb test-newborn system-test
