##@ Release

deb-changed: ## build the packages of the services that changed since the commit BASE
	@changed=$$(tools/changed); [ -z "$$changed" ] || $(MAKE) deb SERVICE="$$(echo $$changed)"

sign: ## sign the list of the built packages: make sign KEY=you@example.org
	@tools/sign "$(KEY)"

publish: ## add what was signed to a repository: make publish REPOSITORY=/srv/apt KEY=...
	@tools/need apt-utils gnupg gpgv
	@tools/publish "$(REPOSITORY)" "$(KEY)"

deploy: ## apply puppet/ on machines, by ssh: make deploy HOSTS="one two"
	@tools/deploy $(HOSTS)

pipeline: ## run the Jenkinsfile without Jenkins: make pipeline BRANCH=main PUBLISH=true ...
	@tools/need groovy
	@tools/pipeline run Jenkinsfile $(foreach name,BRANCH STAGES PUBLISH REPOSITORY KEY HOSTS,$(if $($(name)),"$(name)=$($(name))"))

test-jenkins: setup ## run the Jenkinsfile as far as that changes nothing; no typing error stays in it
	@tools/need apt-utils gnupg gpgv groovy
	@$(timed) jenkins $(pytest) -q -m jenkins tests/jenkins

.PHONY: deb-changed sign publish deploy pipeline test-jenkins
