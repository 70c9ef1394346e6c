# Needs Python >= 3.11 with venv, and the package index; every target makes the virtual environment that it runs in.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= ../shared/data
OUT ?= demo-out
# PEERS=1 adds the libraries that oracle tests and benchmarks compare with (PyTorch, fastText, scikit-learn).
PEERS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test check format lint bench bench-quick clean

help: ## say what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.demo ## train on real news, read one sentence through every step, write a page (OUT=demo-out)
	$(BIN)/logitkit demo --out $(OUT) --force

test: $(VENV)/.test $(if $(PEERS),$(VENV)/.peers) ## run all tests (PEERS=1: also those against PyTorch and fastText)
	$(BIN)/python -m pytest

check: lint test ## format, lint, types and tests

lint: $(VENV)/.check ## formatting, lint, types, and the README's tables
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m benchmarks.tables --check

format: $(VENV)/.check ## format the code in place
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.test $(VENV)/.peers ## compare with fastText, scikit-learn, PyTorch and JAX on DATA; about an hour
	$(BIN)/python -m benchmarks.ops
	$(BIN)/python -m benchmarks.selection
	$(BIN)/python -m benchmarks.losses --write
	$(BIN)/python -m benchmarks.products --write
	$(BIN)/python -m benchmarks.features --data $(DATA)
	$(BIN)/python -m benchmarks.classifiers --data $(DATA)
	$(BIN)/python -m benchmarks.predict_memory --data $(DATA)
	$(BIN)/python -m benchmarks.calibration --data $(DATA) --write
	$(BIN)/python -m benchmarks.unknown --data $(DATA) --write
	$(BIN)/python -m benchmarks.audit_large --write
	$(BIN)/python -m benchmarks.tables

clean: ## remove the virtual environment and what tools left
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis demo-out

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "logitkit needs Python 3.11 or newer; this is $$($(PYTHON) --version). Try: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	@touch $@

$(VENV)/.demo: pyproject.toml | $(VENV)/.python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[demo]'
	@touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/.python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@

$(VENV)/.check: pyproject.toml | $(VENV)/.python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test,check]'
	@touch $@

$(VENV)/.peers: pyproject.toml | $(VENV)/.python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[peers]'
	@# TorchCP names torchvision and torchsort, which its prediction sets do not need and a small PyTorch does not fit.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps torchcp==1.2.1
	@touch $@
