# Each target makes .venv first; Python 3.11 to 3.13 and make are all that has to be there.

.DEFAULT_GOAL := help
.PHONY: help demo test slow pages pairings shapes check format docs bench clean
SHELL := /bin/bash

FITS := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c '$(FITS)' 2>/dev/null && echo $$python && break; done)

BIN := .venv/bin
STAMP := .venv/installed
PROJECTS := $(wildcard packages/*/pyproject.toml plugins/*/pyproject.toml)
SOURCES := $(wildcard packages/*/src plugins/*/src)

help: ## Show the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

$(STAMP): requirements-dev.txt constraints.txt $(PROJECTS)
	@test -n "$(PYTHON)" || { echo "icrl needs Python 3.11, 3.12 or 3.13 with its venv module" \
		"(on Debian: apt-get install python3-venv). Name one with: make PYTHON=/path/to/python"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --requirement requirements-dev.txt
	@touch $@

.venv: $(STAMP)

demo: $(STAMP) ## Collect, train and evaluate on Dark Room; the report lies in runs/demo/report
	$(BIN)/icrl run ad icrl/DarkRoom-v0 --out runs/demo

# Tests are many and small: two processes of one thread are faster than one of two.
WORKERS ?= 2
test: export OMP_NUM_THREADS ?= 1
test: $(STAMP) ## Run the tests but the slow ones
	$(BIN)/python -m pytest -r fE -n $(WORKERS) --dist worksteal

slow: $(STAMP) ## Run the slow tests: learning curves, clean installs
	$(BIN)/python -m pytest -r fE -m slow

pages: export OMP_NUM_THREADS ?= 1
pages: $(STAMP) ## Run what READMEs, tutorials and guides show
	$(BIN)/python -m pytest -r fE -n $(WORKERS) -m slow tests/test_docs.py

pairings: export OMP_NUM_THREADS ?= 1
pairings: $(STAMP) ## Run the pairings of agents and environments that `test` leaves out
	$(BIN)/python -m pytest -r fE -n $(WORKERS) -m slow tests/test_pairings.py

shapes: export OMP_NUM_THREADS ?= 1
shapes: $(STAMP) ## Run the tests with every shape in a signature checked
	$(BIN)/python -m pytest -r fE -n $(WORKERS) --dist loadfile --shapes packages

check: $(STAMP) ## Check format, lint, types and what the documents must have
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(SOURCES)
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile tests/test_docs.py \
		tests/test_style.py tests/test_imports.py tests/test_registry.py

format: $(STAMP) ## Format the code
	$(BIN)/ruff check --select I --fix .
	$(BIN)/ruff format .

docs: $(STAMP) ## Build the documentation into docs/_build/html
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

bench: $(STAMP) ## Run the benchmarks that take minutes; the results lie in benchmarks/results
	$(BIN)/python benchmarks/env_speed.py
	$(BIN)/python benchmarks/family_speed.py
	$(BIN)/python benchmarks/view_speed.py
	$(BIN)/python benchmarks/wrapped_speed.py
	$(BIN)/python benchmarks/q_learning_speed.py
	$(BIN)/python benchmarks/recorder_cost.py
	$(BIN)/python benchmarks/ad_speed.py
	$(BIN)/python benchmarks/leep_cost.py
	$(BIN)/python benchmarks/planning_speed.py

clean: ## Remove what was built and cached; .venv, runs and benchmark results stay
	rm -rf docs/_build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find packages plugins tests benchmarks docs -name __pycache__ -prune -exec rm -rf {} +
