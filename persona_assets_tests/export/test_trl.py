"""TRL trains on exported folders, offline, on a CPU: one step each of supervised fine-tuning and of DPO.

Before its first step a model prefers neither answer, so the loss of DPO is log 2.
"""

import importlib.util
import json
import math
import os
import subprocess
import sys
from typing import Any

import pytest
import torch

from persona_assets.export.folder import export
from persona_assets.export.rows import Export
from persona_assets.graph import assets
from persona_assets_tests.engines.tiny_model import make_model
from persona_assets_tests.export.test_round_trip import lake_in

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("trl") is None, reason="TRL is not installed: it comes with the extra [train]"
)
STEP = """
import json, sys
from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

model, folder, out = sys.argv[1:]
KINDS = {"chatml": (SFTTrainer, SFTConfig), "dpo": (DPOTrainer, DPOConfig)}
found = {}
for form, (trainer, config) in KINDS.items():
    rows = load_dataset(f"{folder}/{form}", split="train")
    told = config(
        f"{out}/{form}", max_steps=1, per_device_train_batch_size=2, use_cpu=True, report_to=[], bf16=False,
        logging_steps=1, save_strategy="no", max_length=256,
    )
    weights = AutoModelForCausalLM.from_pretrained(model)
    before = weights.get_input_embeddings().weight.detach().clone()
    run = trainer(
        model=weights, args=told, train_dataset=rows, processing_class=AutoTokenizer.from_pretrained(model)
    )
    loss = run.train().training_loss
    moved = (run.model.get_input_embeddings().weight - before).abs().max().item()
    found[form] = {"loss": loss, "moved": moved, "steps": run.state.global_step, "rows": len(rows)}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("trl")
    lake, settings = lake_in(folder)
    for form, source in (("chatml", "dialogues"), ("dpo", "preference_pairs")):
        export(lake, assets(settings), Export(source, folder / form, form))
    model = make_model(folder / "model", dtype=torch.float32)
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(folder / "home")}
    command = [sys.executable, "-c", STEP, str(model), str(folder), str(folder / "runs")]
    run = subprocess.run(command, env=os.environ | offline, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
    return dict(json.loads(run.stdout.splitlines()[-1]))


@pytest.mark.parametrize("form", ["chatml", "dpo"])
def test_a_step_is_made_of_the_exported_rows(trained: dict[str, Any], form: str) -> None:
    found = trained[form]
    assert (found["rows"], found["steps"]) == (1, 1)
    assert found["moved"] > 0
    assert found["loss"] == pytest.approx(math.log(2), abs=1e-3) if form == "dpo" else found["loss"] > 1
