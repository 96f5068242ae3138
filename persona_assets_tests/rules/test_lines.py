"""The rules of the bundled tasks on hard lines, good and bad, and on real text where it is there."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from persona_assets.personas.rules import reject_reason
from persona_assets.rules import Sample
from persona_assets.settings import Settings
from persona_assets.tasks.load import datasets
from persona_assets.tasks.step import TaskStep
from persona_assets.tasks.validity import verdict

LINES = Path(__file__).with_name("task_lines.tsv")
KINDS = Path(__file__).with_name("hard_lines.jsonl")  # of each kind of fault, in each language
REAL = Path(__file__).parents[3] / "shared" / "data"
STEPS = {name: step for name, step in datasets(Settings()).items() if isinstance(step, TaskStep)}
TASKS = ("instructions", "math_problems", "logic_problems")
GOOD, BAD = 0.95, 0.85  # shares to be kept, and to be refused


def keeps(task: str, language: str, text: str, answer: str | None = None) -> bool:
    name = "instruction" if task == "instructions" else "problem"
    return verdict(STEPS[task].checks, Sample({name: text, "answer": answer}, "", language)) is None


def lines(task: str, language: str, mark: str) -> Iterator[tuple[str, str | None]]:
    with LINES.open(encoding="utf-8", newline="") as file:
        for of, code, verdict_of, text, *answer in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            if (of, code, verdict_of) == (task, language, mark):
                yield text, answer[0] if answer else None


@pytest.mark.parametrize("language", ["en", "zh", "ru"])
@pytest.mark.parametrize("task", TASKS)
def test_hard_lines_are_told_apart(task: str, language: str) -> None:
    good = {text: keeps(task, language, text, answer) for text, answer in lines(task, language, "G")}
    bad = {text: not keeps(task, language, text, answer) for text, answer in lines(task, language, "B")}
    assert sum(good.values()) >= GOOD * len(good) > 0, [text for text, kept in good.items() if not kept]
    assert sum(bad.values()) >= BAD * len(bad) - 1 > 0, [text for text, refused in bad.items() if not refused]


@pytest.mark.parametrize("language", ["en", "zh", "ru"])
@pytest.mark.parametrize("task", [*TASKS, "personas"])
def test_each_kind_is_told_apart_in_each_language(task: str, language: str) -> None:
    rows = [json.loads(line) for line in KINDS.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if (row["task"], row["language"]) == (task, language)]
    if task == "personas":
        frame = pl.DataFrame({"text": [row["text"] for row in rows], "language": language})
        kept = reject_reason(frame)["reason"].is_null().to_list()
    else:
        kept = [keeps(task, language, row["text"], row["answer"]) for row in rows]
    good = {row["text"]: keep for row, keep in zip(rows, kept, strict=True) if row["mark"] == "G"}
    bad = {row["text"]: not keep for row, keep in zip(rows, kept, strict=True) if row["mark"] == "B"}
    assert sum(good.values()) >= GOOD * len(good) >= 19, [text for text, right in good.items() if not right]
    least = BAD if task != "personas" else 0.8  # names without bound, of which rules know only some
    assert sum(bad.values()) >= least * len(bad) >= 12, [text for text, right in bad.items() if not right]


def real(name: str) -> Iterator[tuple[str, str, str]]:
    """Task, language and text of real rows."""
    if name.startswith("alpaca"):
        for row in json.loads((REAL / "llamafactory" / f"{name}_demo.json").read_text(encoding="utf-8")):
            yield "instructions", name[-2:], f"{row['instruction']}\n{row['input']}".strip()
    elif name == "rulm":
        for line in (REAL / "rulm_ru" / "seed_tasks.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            for one in row["instances"]:
                yield "instructions", "ru", f"{row['instruction']}\n{one['input']}".strip()
    elif name == "ifeval":
        for line in (REAL / "ifeval" / "prompts.jsonl").read_text(encoding="utf-8").splitlines():
            yield "instructions", "en", json.loads(line)["prompt"]
    elif name == "gsm8k":
        for line in (REAL / "gsm8k" / "test.jsonl").read_text(encoding="utf-8").splitlines():
            yield "math_problems", "en", json.loads(line)["question"]
    else:
        for line in (REAL / "math500" / "data" / "math500.jsonl").read_text(encoding="utf-8").splitlines():
            yield "math_problems", "en", json.loads(line)["prompt"].partition("\nPlease reason step by step")[0]


@pytest.mark.skipif(not REAL.is_dir(), reason="the real inputs are not here")
@pytest.mark.parametrize(
    ("name", "most"),
    [("alpaca_en", 0.03), ("alpaca_zh", 0.03), ("rulm", 0.03), ("ifeval", 0.03), ("gsm8k", 0.01), ("math500", 0.01)],
)
def test_few_real_rows_are_refused(name: str, most: float) -> None:
    rows = list(real(name))
    refused = [text for task, language, text in rows if not keeps(task, language, text)]
    assert len(refused) <= most * len(rows), refused
