# Every task of the project. `make run` needs Python 3.11 or later and nothing else.

PYTHON ?= $(shell for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$candidate; break; fi; done)
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help setup run demo check test bench

help:  ## Show the tasks
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo "Variables: PORT=8001, HOST=127.0.0.1, PYTHON=python3.12 (used when .venv is made)"

setup: $(VENV)/.development  ## Make .venv with everything that checks and tests need

run: $(VENV)/.runtime  ## Start Stet and print the link that signs you in
	@exec $(BIN)/python manage.py serve --end-with-parent

demo: $(VENV)/.runtime  ## Start Stet with the simulator and data of its own, whatever keys are set
	@STET_SIMULATOR=on STET_VAR=var/demo exec $(BIN)/python manage.py serve --end-with-parent

check: $(VENV)/.development  ## Lint, format, types, import contracts, migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python manage.py makemigrations --check --dry-run

test: check  ## The checks, then every test: with PostgreSQL, Redis and Chromium
	@exec $(BIN)/python tests/lanes.py

bench: $(VENV)/.development  ## Compare Stet with a bare relay; figures go to var/bench/
	@exec $(BIN)/python -m tests.bench

# Both stamps are written last, so an installation that was cut off is done again.
$(VENV)/.runtime: requirements.txt | $(BIN)/pip
	@echo "Installing requirements (about a minute, once)..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.development: requirements.txt requirements-dev.txt | $(BIN)/pip
	@echo "Installing development requirements (once)..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $(VENV)/.runtime $@

$(BIN)/pip:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Stet needs Python 3.11 or later, and none was found. Install it, or name it: make $(firstword $(MAKECMDGOALS)) PYTHON=/path/to/python3" >&2; exit 1; fi
	@if ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
		echo "Stet needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) --version 2>&1). Name another: PYTHON=python3.12" >&2; exit 1; fi
	@if ! $(PYTHON) -c 'import venv, ensurepip' 2>/dev/null; then \
		echo "$(PYTHON) has no venv or pip. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; fi
	@$(PYTHON) -m venv $(VENV)
