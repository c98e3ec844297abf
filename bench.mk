##@ Measure

bench-python := build/bench-venv/bin/python
bench-node := bench/peers/oidc

# One part: make bench PART=read (or write, auth, start, curves, archives); fewer peers:
# PEERS="ours,drf"; on a private PostgreSQL (read and write): DATABASE=postgresql.
bench: setup build/bench-venv/.stamp build/bench-node/.stamp ## figures beside Django, FastAPI and others: make bench PART=read
	@tools/need wrk pigz zip libarchive-tools
	@$(timed) bench $(bin)/python -m bench.run $(PART)

bench-check: bench ## the same, and say which ratio fell by more than 15 %
	@$(bin)/python -m bench.report

bench-keep: ## make the ratios of the last run those that later ones are held to
	@$(bin)/python -m bench.report --keep

bench-lock: setup ## pin the peers anew
	@cd bench && $(compile) -c ../requirements/dev.txt requirements.in -o requirements.txt
	@cd $(bench-node) && rm -f package-lock.json && \
		npm install --silent --package-lock-only --omit-lockfile-registry-resolved

# The peers have a virtualenv of their own: nothing of theirs is near what is shipped.
build/bench-venv/.stamp: bench/requirements.txt
	@$(bin)/python -m venv --clear build/bench-venv
	@$(bench-python) -m pip install -q --disable-pip-version-check --require-hashes --only-binary :all: -r $<
	@touch $@

# A program of Node.js finds what it imports beside itself, so it goes where that is installed.
build/bench-node/.stamp: $(wildcard $(bench-node)/*.js*)
	@command -v npm >/dev/null || tools/need nodejs npm
	@mkdir -p $(@D) && cp $^ $(@D)
	@npm ci --silent --no-audit --no-fund --prefix $(@D)
	@touch $@

.PHONY: bench bench-check bench-keep bench-lock
