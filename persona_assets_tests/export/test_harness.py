"""Items of evaluations as tasks of lm-evaluation-harness, which here runs them on the very models that were asked."""

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from persona_assets.cli.app import run_cli
from persona_assets.errors import UsageError
from persona_assets.evaluation.grading import read_answer
from persona_assets.export.harness import ANSWER, GROUP, export_tasks
from persona_assets.graph import assets
from persona_assets.lineage import Status, audit
from persona_assets.settings import Settings
from persona_assets_tests.evaluation.test_in_graph import MADE, made, rows
from persona_assets_tests.plan.work import Work

MODULE = """
import polars as pl
from persona_assets.tasks.derived import data_files, derived

COLUMNS = ("problem", "working", "wrong", "split")


@derived(
    reads=data_files("sums/*.jsonl", table="sum_files"),
    columns=dict.fromkeys(COLUMNS, pl.String),
    description="Sums with their working, and with another one.",
)
def sums(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.select(*COLUMNS, parent_ids=pl.concat_list("row_id"))
"""
SUMS: dict[str, Any] = {"dataset": "sums", "columns": {"prompt": "problem", "response": "{working}"}}
RECIPE: dict[str, Any] = {
    "title": "Sums",
    "base": {"scratch": {"hidden": 32, "layers": 1, "heads": 2, "vocabulary": 300, "length": 96}},
    "stages": [
        {
            "id": "sums",
            "kind": "sft",
            "rows": [SUMS],
            "train": {"epochs": 24, "batch": 8, "rate": 0.01, "optimizer": "muon"},
        },
        {
            "id": "pairs",
            "kind": "dpo",
            "rows": [{"dataset": "sums", "columns": {"prompt": "problem", "chosen": "working", "rejected": "wrong"}}],
            "train": {"epochs": 0.2, "batch": 8, "rate": 0.00001},
        },
    ],
    "evaluate": {
        "suites": [
            {"id": "sums", "kind": "maths", "of": "sums", "max_tokens": 24},
            {"id": "loss", "kind": "loss", "of": "sums"},
            {"id": "pairs", "kind": "preference", "of": "pairs"},
        ]
    },
}
# What is held out with a first number that others have can be told, the rest can not. Some of the prompts look like
# templates of the harness's YAML files, which they are not to become.
ROWS = [
    {
        "problem": "{{ 7 * 7 }} " * (one == other) + f"Of {one} pears and {other} apples, how many are pears, 茶?",
        "working": f"{one} are#{one}",
        "wrong": f"There are {other} apples#{other}",
        "split": "held_out" if (one * other) % 5 == 0 else "train",
    }
    for one in range(2, 12)
    for other in range(2, 8)
]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Work]:
    """A recipe of two stages, trained and evaluated."""
    folder = tmp_path_factory.mktemp("recipe")
    for name in ("sums", "recipes"):
        (folder / "tasks" / name).mkdir(parents=True)
    (folder / "tasks" / "own.py").write_text(MODULE, encoding="utf-8")
    (folder / "tasks" / "recipes" / "own.yaml").write_text(yaml.safe_dump(RECIPE, sort_keys=False), encoding="utf-8")
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    (folder / "tasks" / "sums" / "all.jsonl").write_text(lines, encoding="utf-8")
    settings = Settings(
        lake=str(folder / "lake"),
        dumps=str(folder / "dumps"),
        tasks=str(folder / "tasks"),
        datasets=("evaluation",),
        recipes=("own",),
    )
    work = Work(folder, settings)
    made(work, *(name for name in MADE if name in assets(settings) and name != "benchmark_files"))
    yield work


@pytest.fixture(scope="module")
def exported(work: Work) -> Path:
    """The folder of its tasks."""
    folder = work.folder / "exported"
    export_tasks(work.lake, assets(work.settings), "evaluation_items", folder)
    return folder


def documents(folder: Path, suite: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"own.{suite}.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("suite", ["sums", "loss"])
def test_an_item_stands_there_once_whatever_the_systems(work: Work, exported: Path, suite: str) -> None:
    items = rows(work, "evaluation_items").filter(suite=suite)
    found = documents(exported, suite)
    assert len(found) == items.height / 2 > 0
    assert {one["item_id"] for one in found} == set(items["item_id"])


def test_a_pair_is_one_document_with_the_chosen_text_first(work: Work, exported: Path) -> None:
    by_problem = {row["problem"]: row for row in ROWS}
    graded = rows(work, "evaluation_grades").filter(suite="pairs")
    found = documents(exported, "pairs")
    assert {one["item_id"] for one in found} == set(graded["item_id"])
    for one in found:
        row = by_problem[one["prompt"]]
        assert (one["choices"], one["label"]) == ([row["working"], row["wrong"]], 0)


def test_each_document_leads_to_its_file(work: Work, exported: Path) -> None:
    for suite in ("sums", "loss", "pairs"):
        found = audit(work.lake, work.settings, documents(exported, suite)[0]["id"])
        assert {one.status for one in found.verifications} == {Status.OK}
        assert "data_file" in {node.kind for node in found.nodes()}


def test_the_page_says_how_to_run_the_tasks_on_which_models(work: Work, exported: Path) -> None:
    page = (exported / "README.md").read_text(encoding="utf-8")
    assert "--apply_chat_template" in page
    assert rows(work, "fine_tuned_model")["model"][0].removeprefix("lake:") in page
    assert str(work.folder) not in page


def test_another_dataset_is_refused(work: Work, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="lm_eval is for evaluation_items, not for sums"):
        export_tasks(work.lake, assets(work.settings), "sums", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_lake_without_items_is_told(tmp_path: Path) -> None:
    empty = Work(tmp_path, Settings(lake=str(tmp_path / "lake"), dumps=str(tmp_path / "dumps")))
    with pytest.raises(UsageError, match="evaluation_items has no rows: evaluate a recipe first"):
        export_tasks(empty.lake, assets(empty.settings), "evaluation_items", tmp_path / "out")


def test_the_command_writes_them(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PERSONA_TASKS", str(work.settings.tasks))
    asked = ["export", "evaluation_items", "--format", "lm_eval", "--lake", work.settings.lake, "--json"]
    monkeypatch.setattr("sys.argv", ["persona-assets", *asked, "--out", str(tmp_path / "out")])
    assert run_cli() == 0
    told = json.loads(capsys.readouterr().out)["rows"]
    assert told.keys() == {"own.loss.jsonl", "own.pairs.jsonl", "own.sums.jsonl"}
    assert all(len((tmp_path / "out" / name).read_text().splitlines()) == items for name, items in told.items())


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("30/5=6;2^6=64;11*64=704#704", "en"),
        (r"Half of it, so \boxed{\frac{1}{2}} of 18 cakes.", "en"),
        ("3 + 4 = 7\n#### 1,234", "en"),
        ("Each of the 3 has 6. The answer is 18.", "en"),
        ("一共有3个盒子，每个6个。答案是18。", "zh"),
        ("В каждой из 3 коробок по 6. Ответ: 18", "ru"),
        ("First there are 5, then 12 apples.", "en"),
        ("It falls to -3.5 degrees", "en"),
    ],
)
def test_the_pattern_finds_the_answer_that_grading_finds(text: str, language: str) -> None:
    filters = pytest.importorskip("lm_eval.filters.extraction", reason="lm_eval is not installed")
    assert filters.RegexFilter(ANSWER).apply([[text]], [{}]) == [[read_answer(text, language)]]


# The harness


@pytest.fixture(scope="module")
def run(work: Work, exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What the harness came to with the tuned model, without a network."""
    pytest.importorskip("lm_eval", reason="lm_eval is not installed")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when it is imported
    import datasets
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    model = work.folder / "lake" / "models" / rows(work, "fine_tuned_model")["model"][0].removeprefix("lake:") / "model"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.chdir(exported)
        yield simple_evaluate(
            model="hf",
            model_args={"pretrained": str(model)},
            tasks=[GROUP],
            task_manager=TaskManager(include_path=exported, include_defaults=False),
            apply_chat_template=True,
            batch_size=8,
            device="cpu",
            bootstrap_iters=0,
        )


def samples(run: dict[str, Any], suite: str) -> dict[str, Any]:
    """Its samples, by item."""
    return {one["doc"]["item_id"]: one for one in run["samples"][f"{GROUP}.own.{suite}"]}


def graded(work: Work, suite: str) -> dict[str, Any]:
    """Our grades of the tuned model, by item."""
    found = rows(work, "evaluation_grades").filter(suite=suite, system="tuned")
    return {row["item_id"]: row for row in found.iter_rows(named=True)}


def test_the_harness_asks_what_was_asked(work: Work, run: dict[str, Any]) -> None:
    prompts = {row["problem"] for row in ROWS if row["split"] == "held_out"}
    for suite in ("sums", "loss", "pairs"):
        asked = [one["arguments"][0][0] for one in samples(run, suite).values()]
        assert len(asked) == len(prompts)
        assert all(any(prompt in context for context in asked) for prompt in prompts)


def test_it_finds_the_same_answers_right(work: Work, run: dict[str, Any]) -> None:
    ours = {item: row["value"] for item, row in graded(work, "sums").items()}
    theirs = {item: float(one["exact_match"]) for item, one in samples(run, "sums").items()}
    assert theirs == ours
    assert 0 < sum(ours.values()) < len(ours)
    assert run["results"][f"{GROUP}.own.sums"]["exact_match,final_answer"] == pytest.approx(
        sum(ours.values()) / len(ours)
    )


def test_it_finds_texts_as_probable(work: Work, exported: Path, run: dict[str, Any]) -> None:
    ours = {item: -row["value"] * row["weight"] for item, row in graded(work, "loss").items()}
    theirs = {item: float(one["resps"][0][0][0]) for item, one in samples(run, "loss").items()}
    assert theirs == pytest.approx(ours, abs=1e-3)
    size = sum(len(one["continuation"].encode()) for one in documents(exported, "loss"))
    bits = -sum(ours.values()) / size / math.log(2)
    assert run["results"][f"{GROUP}.own.loss"]["bits_per_byte,none"] == pytest.approx(bits, abs=1e-3)


def test_it_finds_chosen_texts_as_much_likelier(work: Work, run: dict[str, Any]) -> None:
    ours = {item: row["margin"] for item, row in graded(work, "pairs").items()}
    found = samples(run, "pairs")
    logprobs = {item: [float(resps[0][0]) for resps in one["resps"]] for item, one in found.items()}
    assert {item: chosen - rejected for item, (chosen, rejected) in logprobs.items()} == pytest.approx(ours, abs=1e-3)
    assert {item: float(one["acc"]) for item, one in found.items()} == {
        item: float(margin > 0) for item, margin in ours.items()
    }
