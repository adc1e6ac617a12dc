# Everything a contributor types. `make help` lists it from the `##` comments.

# The first Python of 3.11 or later: python3.11 itself, else python3 when it is new enough.
PYTHON ?= $(shell for python in python3.11 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; \
	done)

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Some tests wait, so that three workers keep two processors busy.
WORKERS ?= 3
ARGS ?=

# Where this is set, every process of the tests recompiles every module.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{ printf "  make %-12s %s\n", $$1, $$2 }'

.PHONY: env
env: $(STAMP) ## Create .venv with the tested versions

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "tier1 needs Python 3.11 or later: install it, or name it with PYTHON=..." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		-c constraints.txt -e '.[sandbox,postgres,dev]'
	@touch $@

.PHONY: test
test: env ## Run every test on SQLite and Postgres, with coverage (ARGS="-k name" for some)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --cov --cov-report=term $(ARGS)

.PHONY: crash
crash: env ## Kill, stop, refuse, cut and interrupt the real command at its calls (some 40 minutes)
	TIER1_TEST_PROCESSES=1 $(BIN)/python -m pytest tests/processes $(ARGS)

.PHONY: crash-points
crash-points: env ## Kill the real command at each call and commit alone, each in a run of its own (an hour)
	TIER1_TEST_PROCESSES=1 TIER1_TEST_ALL_POINTS=1 $(BIN)/python -m pytest \
		tests/processes -k "every_changing_call or alone_is_recovered" $(ARGS)

.PHONY: crash-full
crash-full: env ## Also kill every recovery after every kill; continues where it was interrupted (hours)
	$(BIN)/python -m tests.support.simulation.full --workers $(WORKERS) $(ARGS)

.PHONY: long
long: env ## Run what is left out of `make test`: every scenario, every guide (some ten minutes)
	TIER1_TEST_LONG=1 $(BIN)/python -m pytest -n $(WORKERS) -m long $(ARGS)

MAIN_JOB := $(foreach part,life interrupted db reading refusals terminal,tests/commands/test_$(part).py)

.PHONY: plain
plain: env ## Test the main commands on plain moto, without AWS's behaviour (some five minutes)
	TIER1_TEST_SANDBOX=plain $(BIN)/python -m pytest -n $(WORKERS) $(MAIN_JOB) $(ARGS)

.PHONY: mutants
mutants: env ## Break each promise on purpose; a test must fail (some minutes; ARGS="NAME" for one)
	WORKERS=$(WORKERS) $(BIN)/python -m scripts.mutants $(ARGS)

.PHONY: guarantees
guarantees: env ## Count the points that hold each promise, and write docs/guarantees.md
	$(BIN)/python -m scripts.guarantees

.PHONY: lint
lint: env ## Check format, style, types and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

.PHONY: verify
verify: env ## Check that migrations match the models and generated pages are current
	$(BIN)/python -m scripts.verify

.PHONY: docs
docs: env ## Write the generated pages of docs/
	$(BIN)/python -m scripts.generate_docs

.PHONY: demo
demo: env ## Deploy, break, roll back, kill and resume on a local AWS
	$(BIN)/python -m examples.demo

.PHONY: format
format: env ## Format the code and fix what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: clean
clean: ## Remove everything generated, .venv included
	rm -rf $(VENV) build dist htmlcov .coverage .coverage.* .hypothesis .import_linter_cache \
		.mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
