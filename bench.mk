##@ Measure

bench-python := build/bench-venv/bin/python

# One part: make bench PART=read (or write, auth, curves, archives); fewer peers: PEERS="ours,drf".
bench: setup build/bench-venv/.stamp ## figures beside Django, FastAPI and others: make bench PART=read
	@tools/need wrk pigz zip libarchive-tools
	@$(timed) bench $(bin)/python -m bench.run $(PART)

bench-check: bench ## the same, and say which ratio fell by more than 15 %
	@$(bin)/python -m bench.report

bench-keep: ## make the ratios of the last run those that later ones are held to
	@$(bin)/python -m bench.report --keep

bench-lock: setup ## pin the peers anew
	@cd bench && $(compile) -c ../requirements/dev.txt requirements.in -o requirements.txt

# The peers have a virtualenv of their own: nothing of theirs is near what is shipped.
build/bench-venv/.stamp: bench/requirements.txt
	@$(bin)/python -m venv --clear build/bench-venv
	@$(bench-python) -m pip install -q --disable-pip-version-check --require-hashes --only-binary :all: -r $<
	@touch $@

.PHONY: bench bench-check bench-keep bench-lock
