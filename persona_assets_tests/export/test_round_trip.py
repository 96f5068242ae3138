"""What the library `datasets` reads, offline, from a folder of each format."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from persona_assets.export.card import Written
from persona_assets.export.folder import export
from persona_assets.export.rows import Export
from persona_assets.graph import assets
from persona_assets.lake import Lake
from persona_assets.settings import Settings
from persona_assets_tests.export.stored import store

FORMS = {
    "chatml": "instruction_answers",
    "alpaca": "instruction_answers",
    "sharegpt": "dialogues",
    "dpo": "preference_pairs",
    "plain": "instruction_answers",
}
ASKED, OTHER = f"smp_{'a' * 32}", f"smp_{'b' * 32}"
TEXT = "Скажи «да», 再说一遍: <b>&amp;</b>\n\n```\n|x|\n``` \u200b"
SAID = [("user", TEXT), ("assistant", "1"), ("user", "2"), ("assistant", "3")]
LOAD = """
import json, sys
from datasets import load_dataset
found = {}
for form in sys.argv[2:]:
    rows = load_dataset(f"{sys.argv[1]}/{form}", cache_dir=f"{sys.argv[1]}/cache")["train"]
    found[form] = [rows.column_names, list(rows)]
print(json.dumps(found))
"""


def lake_in(folder: Path) -> tuple[Lake, Settings]:
    """A lake with a few rows of datasets of each kind, some of which no format has a place for."""
    settings = Settings(lake=str(folder / "lake"))
    lake, graph = Lake(settings.lake), assets(settings)
    lake.declare()
    store(lake, graph["instructions"].table, [{"sample_id": ASKED, "instruction": TEXT}])
    answers = [{"answer": "Ja", "parent_ids": [ASKED]}, {"answer": " ", "parent_ids": [ASKED]}]
    store(lake, graph["instruction_answers"].table, [*answers, {"answer": "Nein", "parent_ids": [OTHER]}])
    talks = [[{"role": role, "content": text} for role, text in said] for said in (SAID, SAID[:1])]
    store(lake, graph["dialogues"].table, [{"messages": one, "turns": len(one)} for one in talks])
    store(lake, graph["tool_dialogues"].table, [{"messages": [], "tools": "[]", "function_name": "f"}])
    pairs = [("good", "bad"), ("good", ""), ("same", "same")]
    rows = [{"prompt": TEXT, "chosen": chosen, "rejected": rejected} for chosen, rejected in pairs]
    store(lake, graph["preference_pairs"].table, rows)
    return lake, settings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("formats")


@pytest.fixture(scope="module")
def written(folder: Path) -> dict[str, Written]:
    lake, settings = lake_in(folder)
    graph = assets(settings)
    return {form: export(lake, graph, Export(source, folder / form, form)) for form, source in FORMS.items()}


@pytest.fixture(scope="module")
def loaded(folder: Path, written: dict[str, Written]) -> dict[str, Any]:
    """Columns and rows by format, as one process of the library read them without a network."""
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(folder / "home")}
    command = [sys.executable, "-c", LOAD, str(folder), *FORMS]
    told = subprocess.run(command, env=os.environ | offline, capture_output=True, text=True, check=True).stdout
    return dict(json.loads(told))


def test_chatml_has_messages(loaded: dict[str, Any]) -> None:
    names, [row] = loaded["chatml"]
    assert names == ["id", "language", "messages"]
    assert row["messages"] == [{"role": "user", "content": TEXT}, {"role": "assistant", "content": "Ja"}]


def test_alpaca_takes_instructions_and_their_answers_without_being_told_the_columns(loaded: dict[str, Any]) -> None:
    names, [row] = loaded["alpaca"]
    assert names == ["id", "language", "instruction", "input", "output"]
    assert [row["instruction"], row["input"], row["output"]] == [TEXT, "", "Ja"]


def test_sharegpt_has_all_turns(loaded: dict[str, Any]) -> None:
    names, [row] = loaded["sharegpt"]
    assert names == ["id", "language", "conversations"]
    said = [(one["from"], one["value"]) for one in row["conversations"]]
    assert said == [("human", TEXT), ("gpt", "1"), ("human", "2"), ("gpt", "3")]


def test_dpo_has_pairs(loaded: dict[str, Any]) -> None:
    names, [row] = loaded["dpo"]
    assert names == ["id", "language", "prompt", "chosen", "rejected"]
    assert [row["prompt"], row["chosen"], row["rejected"]] == [TEXT, "good", "bad"]


def test_plain_has_the_datasets_own_columns_and_every_row(loaded: dict[str, Any]) -> None:
    names, rows = loaded["plain"]
    assert {"id", "language", "answer", "parent_ids"} <= set(names)
    assert [row["answer"] for row in rows] == ["Ja", " ", "Nein"]


@pytest.mark.parametrize(
    ("form", "left_out"),
    [
        ("chatml", {"missing_response": 1, "missing_prompt": 1}),
        ("alpaca", {"missing_response": 1, "missing_prompt": 1}),
        ("sharegpt", {"no_answer": 1}),
        ("dpo", {"missing_rejected": 1, "answers_equal": 1}),
        ("plain", {}),
    ],
)
def test_rows_without_a_place_are_counted_by_reason_and_told_in_the_card(
    folder: Path, written: dict[str, Written], form: str, left_out: dict[str, int]
) -> None:
    assert written[form].left_out == left_out
    told = (folder / form / "README.md").read_text(encoding="utf-8")
    assert all(f"`{reason}`: {count}\n" in told for reason, count in left_out.items())
    assert f"no place for: {sum(left_out.values())}." in told
