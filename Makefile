# Everything lives inside this folder: .venv (packages), .traboule (built cities, caches, run files), proto/gen (generated code).
# A bare machine needs only make and python3 (3.11 or newer); deploy/bootstrap.sh says or installs what is missing.

SHELL := /bin/sh
PYTHON := .venv/bin/python
ARGS ?=
export NUMBA_CACHE_DIR ?= $(CURDIR)/.traboule/cache/numba
export TRABOULE_HOME ?= $(CURDIR)/.traboule

.PHONY: demo test lint bench proto lock install clean help

help:  ## Say what can be made.
	@awk -F':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

install:  ## Install everything into .venv (instant when nothing changed).
	@sh deploy/bootstrap.sh

demo: install  ## Bring up the embedded city and tour it; ARGS=--once ends after the tour.
	@.venv/bin/traboule demo $(ARGS)

test: install  ## Run the whole test suite; ARGS go to pytest.
	@$(PYTHON) -m pytest $(ARGS)

lint: install  ## Check style, types, import contracts, lengths of files and protos.
	@$(PYTHON) hatch_build.py
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo
	$(PYTHON) -m pytest -q -p no:cacheprovider tests/architecture/test_imports.py tests/architecture/test_repository.py
	.venv/bin/buf lint proto/gen/traboule/descriptors.binpb --config proto/buf.yaml

bench: install  ## Run a benchmark, for example: make bench ARGS="street --help".
	@$(PYTHON) -m loadtest $(ARGS)

proto: install  ## Generate proto/gen again.
	@$(PYTHON) hatch_build.py

lock: install  ## Resolve the locked versions again from pyproject.toml.
	@sh deploy/locks/compile.sh

clean:  ## Remove what was generated; keep .venv and built cities.
	rm -rf proto/gen proto/.gen-* dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .traboule/cache
	find services routing traffic_lights loadtest tests -name __pycache__ -prune -exec rm -rf {} +
