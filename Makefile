# Needs Python 3.11 or later and nothing else; the environment is made on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEERS := $(VENV)/.peers

.PHONY: demo test ui bench lint format clean

demo: $(READY)          ## the bundled crawl through every asset, then one audited sample per task
	$(BIN)/persona-assets demo

test: $(READY)          ## the whole test suite
	$(BIN)/python -m pytest -n 2 --dist loadfile

ui: $(READY)            ## the Dagster UI on http://127.0.0.1:3000, with the runs of the demo
	VIRTUAL_ENV="$(CURDIR)/$(VENV)" PATH="$(CURDIR)/$(BIN):$$PATH" dg dev

bench: $(PEERS)         ## figures for benchmarks/RESULTS.md; BENCH=--ten-million and others are for benchmarks/dedup.py
	$(BIN)/python -m benchmarks.run $(BENCH)

lint: $(READY)          ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)        ## rewrite in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:                  ## remove what the demo made; the environment stays
	rm -rf lake dumps .dagster

# torch first and by name: another package's range would take a build with gigabytes of accelerator libraries.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt "torch==2.13.0"
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $(READY)

$(PEERS): $(READY)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[bench]"
	touch $(PEERS)
