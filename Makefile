# Two commands do everything in an empty clone: `make run` and `make test`.
# `make` alone lists the rest.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
SHELL := /bin/sh

bin := .venv/bin
services := $(notdir $(wildcard services/*))
timed := tools/timed
pytest := $(bin)/python -m pytest
# Tests that need no program but those that the lock brings.
alone := not readers and not large and not browser and not nginx and not puppet and not jenkins and not rabbitmq
# Those that make services, which takes a while.
made := tests/template tests/newborn
readers := unzip libarchive-tools 7zip libxml2-utils binutils cpio lz4 zstd xorriso unar mtree-netbsd \
	default-jdk-headless
python := bench cookiecutter-template glassware tests tools docs $(addprefix services/,$(services))

# The tools of the virtualenv are found by the programs that the targets start.
export PATH := $(CURDIR)/$(bin):$(PATH)

##@ Run

run: setup ## start auth, tasks and archives with their databases; Ctrl-C stops them
	@$(bin)/glassware run

tour: setup ## walk through the main job on the running suite, or on one of its own
	@$(bin)/glassware tour

##@ Check

test: setup ## style, types, layers, and the tests (but for those that are targets of their own)
	@$(timed) lint $(MAKE) lint
	@$(timed) tests $(pytest) -n 2 -m "$(alone) and not processes" $(made:%=--ignore=%) \
		--durations=5 --durations-min=1

test-processes: setup ## the suite as real processes: end to end, killed, stopped, restarted under load
	@which curl >/dev/null || tools/apt curl
	@$(timed) processes $(pytest) -n 3 --dist worksteal -m "$(alone) and processes"

test-template: setup ## services that the template has just made, one for each kind of answers
	@$(timed) template $(pytest) -n 2 $(made)

test-postgres: setup ## every service's tests, and the suite's, on a private PostgreSQL
	@$(timed) postgres env GLASSWARE_TEST_DATABASE=postgresql \
		$(pytest) -n 2 -m "$(alone) and not processes" services tests/e2e tests/api tests/db \
		--ignore=services/archives/tests/domain --ignore=tests/db/test_postgresql.py

test-media: setup ## JSON and XML read and written, with many more documents: EXAMPLES=10000
	@$(timed) media env GLASSWARE_TEST_EXAMPLES=$(or $(EXAMPLES),500) $(pytest) -n 2 tests/media

test-brokers: setup ## jobs carried by a real RabbitMQ: the same tests, and workers killed
	@tools/need rabbitmq-server
	@$(timed) brokers $(pytest) -m rabbitmq

test-nginx: setup ## the suite behind nginx
	@which nginx >/dev/null || tools/apt nginx-light
	@$(timed) nginx $(pytest) -m nginx

test-readers: setup ## read what we write with foreign programs (unzip, bsdtar, 7zz, java, xmllint ...)
	@tools/need $(readers)
	@$(timed) readers $(pytest) -m "readers and not large"

test-readers-large: setup ## for the night: zips at the edges of 4 GiB and 65,535 entries, 10,000 downloads broken off
	@tools/need $(readers)
	@$(timed) readers $(pytest) -m large

lint: setup ## style, types, layers and sizes only
	@$(timed) ruff $(bin)/ruff check $(python)
	@$(timed) format $(bin)/ruff format --check $(python)
	@$(timed) mypy $(bin)/mypy
	@$(timed) layers $(bin)/lint-imports --no-logo
	@$(bin)/python tools/count.py >/dev/null

format: setup ## rewrite the code in the house's style
	@$(bin)/ruff check --fix $(python)
	@$(bin)/ruff format $(python)

coverage: setup ## run the tests and list the lines that none of them reaches
	@$(bin)/coverage run -m pytest -m "$(alone)"
	@$(bin)/coverage report

bench-xml: setup ## the XML writer beside dicttoxml: the same bytes, how many times faster
	@$(bin)/python -m bench.xml

count: setup ## lines of own code, part by part; what is too large
	@$(bin)/python tools/count.py

##@ Make

docs: setup ## build the documentation; a warning is an error
	@$(timed) docs $(bin)/sphinx-build -q -n -W --keep-going -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

setup: ## the virtualenv with all that is locked; nothing to do when nothing changed
	@tools/setup

# The local projects are installed from here, so they are left out of the locks. A service's lock
# is held to dev.txt: what is shipped is what was tested.
compile := uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	--fork-strategy fewest --custom-compile-command "make lock" \
	--no-emit-package glassware $(addprefix --no-emit-package glassware-,$(services)) $(UPGRADE)

lock: setup ## pin all dependencies anew where setup.cfg asks for it (UPGRADE=--upgrade for all)
	@$(compile) requirements/dev.in -o requirements/dev.txt
	@$(compile) --resolution lowest-direct requirements/min.in -o requirements/min.txt
	@for service in $(services); do \
		(cd services/$$service && $(compile) -c ../../requirements/dev.txt requirements.in -o requirements.txt) || exit; \
	done
	@grep -c '^[a-z].*==' requirements/*.txt services/*/requirements.txt

clean: ## remove what was built; .venv and the data under var/ stay
	@rm -rf build dist .coverage .hypothesis .import_linter_cache .mypy_cache \
		.pytest_cache .ruff_cache .tox docs/_build services/*/build services/*/dist
	@find $(python) -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## this list
	@awk -f tools/help.awk Makefile browser.mk deploy.mk puppet.mk jenkins.mk bench.mk

.PHONY: run tour test test-processes test-template test-media test-postgres test-brokers test-nginx test-readers test-readers-large lint format coverage count docs setup lock clean help

include browser.mk deploy.mk puppet.mk jenkins.mk bench.mk
