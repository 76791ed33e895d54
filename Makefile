# Everything a newcomer needs: Python >= 3.11 and make. `make help` lists the targets.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup demo up test test-long check bench clean sim sim-long

# Some containers forbid Python to keep what it has compiled. Then each process of `ocs up` compiles the whole system
# at each start, and pytest all tests: twice the time. `make clean` removes what is kept.
unexport PYTHONDONTWRITEBYTECODE

# The first interpreter that is new enough; `make PYTHON=/path/to/python3.12 setup` names another.
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
ifeq ($(origin PYTHON),undefined)
PYTHON := $(shell for python in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$python" -c "$(NEW_ENOUGH)" 2>/dev/null && { echo "$$python"; break; }; done)
endif

VENV := .venv
BIN := $(VENV)/bin
# Wheels only, and every version from constraints.txt: nothing is built but the project itself, whose build backend
# pyproject.toml pins, so two machines install the same files.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: -c constraints.txt
# Two stamps: `demo` and `up` wait for the runtime packages alone, tests and checks for the tools as well.
RUNTIME := $(VENV)/.runtime-installed
DEVELOPMENT := $(VENV)/.development-installed
TEST_PROCESSES ?= 2

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*  ## /\1\t/p' $(MAKEFILE_LIST) | awk -F '\t' '{ printf "  make %-10s %s\n", $$1, $$2 }'

setup: $(DEVELOPMENT)  ## build .venv with everything, tools included

demo: $(RUNTIME)  ## the whole system and its simulators, for about half a minute (KEEP=1: until Ctrl-C)
	@KEEP=$(KEEP) $(BIN)/python -m simulators.demo $(ARGS)

up: $(RUNTIME)  ## the system alone, in the foreground, on the lab configuration
	@$(BIN)/ocs up --config config/ocs.toml --log console $(ARGS)

test: $(DEVELOPMENT)  ## the tests, without the long ones (ARGS="-k debit" chooses)
	$(BIN)/python -m pytest -m "not long" -n $(TEST_PROCESSES) --dist loadfile $(ARGS)

test-long: $(DEVELOPMENT)  ## kills under load, clusters and chaos
	@# Pytest's status 5: ARGS has chosen none of these; they must be among the others then.
	@$(BIN)/python -m pytest -m "long and not alone" -n 2 --dist worksteal $(ARGS); together=$$?; \
		[ $$together -eq 0 ] || [ $$together -eq 5 ] || exit $$together; \
		$(BIN)/python -m pytest -m "long and alone" $(ARGS); alone=$$?; \
		[ $$alone -ne 5 ] || exit $$together; exit $$alone

sim: $(DEVELOPMENT)  ## tell the simulated story of one seed, and its digest (SEED=7 STEPS=500)
	@$(BIN)/python -m tests.simulation $(SEED) $(if $(STEPS),--steps $(STEPS))

sim-long: $(DEVELOPMENT)  ## as many simulated stories as time allows (MINUTES=10); the seed of a bad one is printed
	@$(BIN)/python -m tests.simulation $(SEED) --minutes $(or $(MINUTES),10) $(if $(STEPS),--steps $(STEPS))

check: $(DEVELOPMENT)  ## format, lint, types and import contracts
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo

bench: $(DEVELOPMENT)  ## measure; bench/results.json (ONLY=gy runs one group; ONLY=soak MINUTES=30 RATE=1000)
	@$(BIN)/python -m bench $(if $(ONLY),--only $(ONLY)) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(RATE),--rate $(RATE)) $(ARGS)

clean:  ## remove what was built (not the data folder)
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@"$(PYTHON)" -c "$(NEW_ENOUGH)" 2>/dev/null || { \
		echo "make: Python 3.11 or newer is needed; '$(or $(PYTHON),python3)' is not. Name one: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; }
	@"$(PYTHON)" -c "import ensurepip, venv" 2>/dev/null || { \
		echo "make: '$(PYTHON)' cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "setting up $(VENV) (once)"
	@"$(PYTHON)" -m venv $(VENV)

$(RUNTIME): pyproject.toml constraints.txt | $(BIN)/python
	@$(INSTALL) --upgrade pip
	@$(INSTALL) -e .
	@touch $@

$(DEVELOPMENT): $(RUNTIME)
	@$(INSTALL) --group dev
	@touch $@
