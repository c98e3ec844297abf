##@ Release

sign: ## sign the list of the built packages: make sign KEY=you@example.org
	@tools/sign "$(KEY)"

publish: ## add what was signed to a repository: make publish REPOSITORY=/srv/apt KEY=...
	@tools/need apt-utils gnupg gpgv
	@tools/publish "$(REPOSITORY)" "$(KEY)"

deploy: ## apply puppet/ on machines, by ssh: make deploy HOSTS="one two"
	@tools/deploy $(HOSTS)

.PHONY: sign publish deploy
