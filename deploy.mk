##@ Deploy

deb: wheelhouse ## build the Debian packages, of one service: make deb SERVICE=tasks
	@tools/need debhelper dh-virtualenv libarchive13 python3-pip python3-setuptools python3-venv python3-wheel
	@$(timed) deb tools/deb $(SERVICE)
	@cd build/debs && ls -sh1 *.deb && sha256sum *.deb >SHA256SUMS

wheelhouse: ## fetch all that the packages hold, by the locks; building then needs no network
	@tools/need python3-pip
	@$(timed) wheelhouse tools/wheelhouse
