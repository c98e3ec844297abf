##@ Deploy

deb: wheelhouse ## build the Debian packages, of one service: make deb SERVICE=tasks
	@tools/need debhelper dh-virtualenv libarchive13 python3-pip python3-setuptools python3-venv python3-wheel
	@$(timed) deb tools/deb $(SERVICE)
	@cd build/debs && ls -sh1 *.deb && sha256sum *.deb >SHA256SUMS

wheelhouse: ## fetch all that the packages hold, by the locks; building then needs no network
	@tools/need python3-pip
	@$(timed) wheelhouse tools/wheelhouse

test-deb: deb ## check the packages: lintian, and a second build that gives the same bytes
	@tools/need lintian
	@tools/test-deb

system-test: ## boot a Debian machine, install the packages, upgrade under load, cut the power ... (as root)
	@tools/need debhelper dh-virtualenv python3-pip python3-setuptools python3-venv python3-wheel \
		apt-utils gnupg mmdebstrap systemd-container
	@[ -e build/debs/SHA256SUMS ] || $(MAKE) deb
	@$(timed) system-test $(as_root) tests/system/run

# Without the environment of the virtualenv: the packages are built by the system's Python.
as_root := $(shell [ "$$(id -u)" = 0 ] || echo sudo -n) env PATH=/usr/sbin:/usr/bin:/sbin:/bin

.PHONY: deb wheelhouse test-deb system-test
