# SPDX-License-Identifier: Apache-2.0
#
# Every target sets up what it needs, alone: a virtual environment in .venv with the locked
# dependencies. A machine needs Python 3.11 or newer, make, and a package index.

MAKEFLAGS += --no-builtin-rules
.NOTPARALLEL:
# Programs are compiled once and not by each process: the tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help

VENV    := .venv
BIN     := $(VENV)/bin
JOBS    ?= 2
# A test in a browser waits for more than half of its time.
BROWSERS ?= 3
# Handed on as they are: make demo ARGS="--users 60 --items 50", make test ARGS="-k garbling".
ARGS    ?=

# The first interpreter that is new enough and can make an environment; PYTHON=... overrides it.
CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11 python
SUITABLE   := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON     ?= $(shell for p in $(CANDIDATES); do \
	if $$p -c '$(SUITABLE)' >/dev/null 2>&1; then command -v $$p; break; fi; done)

# Errors only: a machine's index settings make pip warn of every location that lacks a package.
PIP    := $(BIN)/python -m pip --disable-pip-version-check --no-input -qq
# The locks are complete, so pip resolves nothing; no release that comes later can matter.
LOCKED := $(PIP) install --no-deps --require-hashes
# Silent when every requirement of what is installed is met; otherwise its lines, and an error.
AGREED := @found=$$($(BIN)/python -m pip --disable-pip-version-check check) \
	|| { echo "$$found" >&2; exit 1; }
QUICK  := -m "not slow"
# The test workers share the cores; no library may take them all for itself.
PYTEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal

# The least coverage is for all tests: a part of them, asked for by ARGS, is run without coverage.
COV    := $(if $(ARGS),--no-cov,--cov --cov-report=term)

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) \
	  | sed -E 's/^([a-z-]+):.*## (.*)/make \1|\2/' | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'

.PHONY: demo
demo: $(VENV)/.runtime ## a three-party training on real ratings, then every check of its result
	$(BIN)/ppmf demo $(ARGS)

.PHONY: serve
serve: $(VENV)/.runtime ## a working pair of servers on this machine, with a session and invitations
	$(BIN)/ppmf up $(ARGS)

.PHONY: install
install: $(VENV)/.runtime ## the `ppmf` command in .venv/bin, and nothing else

.PHONY: test
test: $(VENV)/.dev ## the tests, but for the slow ones
	$(PYTEST) $(QUICK) $(COV) $(ARGS)

.PHONY: test-all
test-all: $(VENV)/.dev ## every test, the slow ones too
	$(PYTEST) $(COV) $(ARGS)

.PHONY: test-browser
test-browser: $(VENV)/.browser ## the users' page in Chromium, or ARGS=--measure, ARGS="--screens DIR"
	$(PYTEST) -n $(BROWSERS) tests/browser --no-cov $(ARGS)

MUTATED := spec reference primitives core sessions
.PHONY: mutation
mutation: $(VENV)/.dev ## mutants of the specification, the oracle and the protocol core (hours)
	for target in $(MUTATED); do \
	  nice $(BIN)/python -m tools.mutation.mutants run $$target $(ARGS) || failed=1; done; \
	  exit $${failed:-0}

.PHONY: mutation-suite
mutation-suite: $(VENV)/.dev ## mutants of implementations, put to the conformance suite alone (hours)
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 nice $(BIN)/python -m tools.mutation.suite run $(ARGS)

.PHONY: fuzz
fuzz: $(VENV)/.dev ## a million mutated requests to the users' interface (an hour), or on the link (ARGS=--link)
	$(BIN)/python -m tools.fuzz $(ARGS)

.PHONY: lint
lint: $(VENV)/.dev ## the checks that run nothing: format, lint, types, import contracts, licences
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --cache-dir .cache/import_linter
	$(BIN)/reuse lint --quiet

.PHONY: check
check: lint ## before a commit: the lint, and a quicker run of the tests
	$(PYTEST) $(QUICK) --hypothesis-profile=quick -x -q $(ARGS)

.PHONY: format
format: $(VENV)/.dev ## format the code and mend what ruff can mend
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

.PHONY: docs
docs: $(VENV)/.dev ## the site, in docs/_build/html
	$(BIN)/sphinx-build -W --keep-going -q -d .cache/doctrees -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

.PHONY: bench
bench: $(VENV)/.runtime ## what a training costs on this machine: figures to read, nothing asserted
	$(BIN)/ppmf bench $(ARGS)

.PHONY: vectors
vectors: $(VENV)/.runtime ## make the conformance vectors anew, from their labels
	$(BIN)/python -m tools.vectors conformance/ppmf_conformance/vectors spec
	$(BIN)/python -m tools.worked_transcript conformance/ppmf_conformance/transcript

.PHONY: sweep
sweep: $(VENV)/.dev ## try the parameter sets behind the defaults (PPMF_DATA names MovieLens latest-small)
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tools.default_sweep

.PHONY: trace
trace: $(VENV)/.runtime ## make the table of requirements, their tests and their code anew
	$(BIN)/python -m tools.traceability

# Needs uv and npm on the path. Each lock keeps the versions of the one before.
UV_COMPILE := uv pip compile --no-config --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-header --quiet
.PHONY: lock
lock: ## resolve the dependencies anew into the lock files (needs uv and npm)
	$(UV_COMPILE) --all-extras pyproject.toml --group build -o requirements.lock
	$(UV_COMPILE) --all-extras pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
	$(UV_COMPILE) --group browser -c requirements-dev.lock -o requirements-browser.lock
	cd tests/browser && npm install --package-lock-only

.PHONY: clean
clean: ## remove the environment, caches and everything built
	rm -rf $(VENV) .cache .hypothesis docs/_build build dist htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.created:
	@[ -n "$(PYTHON)" ] || { echo "ppmf needs Python 3.11 or newer with its venv module (on Debian: python3-venv);" \
	  "none of $(CANDIDATES) is one. Name yours with: make PYTHON=/path/to/python3" >&2; exit 2; }
	@echo "setting up $(VENV) with $(PYTHON)"
	@"$(PYTHON)" -m venv --clear $(VENV)
	@touch $@

# One installation for both kinds of use: the packages themselves are not copied but pointed at.
$(VENV)/.runtime: $(VENV)/.created requirements.lock pyproject.toml
	@echo "installing what the program needs (requirements.lock)"
	@$(LOCKED) -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	$(AGREED)
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock
	@echo "installing what tests, checks and docs need (requirements-dev.lock)"
	@$(LOCKED) --no-compile -r requirements-dev.lock
	$(AGREED)
	@touch $@

# The driver of the browser, and the checks of accessibility. The browser itself is Debian's.
CHROMIUM ?= chromium
$(VENV)/.browser: $(VENV)/.dev requirements-browser.lock tests/browser/package-lock.json
	@for program in $(CHROMIUM) npm; do command -v $$program >/dev/null || { echo "make test-browser needs" \
	  "$$program (on Debian, as root: apt-get install chromium npm)" >&2; exit 2; }; done
	@echo "installing what drives the browser (requirements-browser.lock, tests/browser/package-lock.json)"
	@$(LOCKED) -r requirements-browser.lock
	@cd tests/browser && npm ci --ignore-scripts --silent
	$(AGREED)
	@touch $@
