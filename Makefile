# Everything a person types. `make` alone lists it.
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help setup drill test lint types bench kill-test coverage lock docs clean

SCENARIO ?= bad-deploy

help: ## list what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

setup: ## bring .venv up to date with requirements.lock
	@scripts/setup

drill: setup ## break the sandbox shop and watch the playbook; WHO=me to decide yourself, ASLEEP=ada for the ladder
	@exec .venv/bin/crisis drill $(SCENARIO) $(if $(WHO),--who $(WHO)) $(if $(ASLEEP),--asleep $(ASLEEP)) $(if $(HOLD),--hold $(HOLD))

test: setup ## lint, layers, types and all tests; TESTS=tests/journal for some
	@scripts/servers
	@exec scripts/test

lint: setup ## style, format and import layers
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/lint-imports

types: setup ## mypy, strict
	@.venv/bin/mypy

bench: setup ## measure: every program in benchmarks/
	@set -e; for file in benchmarks/[a-z]*.py; do \
		[ -e "$$file" ] || { echo "bench: there is no benchmark yet" >&2; exit 1; }; \
		echo "$$file"; .venv/bin/python "$$file"; done

kill-test: setup ## kill the whole stack at each event in the journal and compare the worlds; AT="3 19" for some
	@exec .venv/bin/python -m tests.stack.killing $(SCENARIO) $(AT)

coverage: setup ## run the tests counting lines, and name what no test ran; TESTS=tests/journal for some
	@COVERAGE=1 scripts/test
	@.venv/bin/coverage report --show-missing --skip-covered

lock: setup ## work out requirements.lock anew; UPGRADE=1 for newer versions
	@scripts/lock

docs: setup ## write docs/reference from the code
	@.venv/bin/python scripts/reference.py

clean: ## remove caches and what drills left; the journal of a real `crisis up` stays
	@rm -rf .crisis/drill .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage .coverage.* dist
	@find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
