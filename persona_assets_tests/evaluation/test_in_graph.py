"""A recipe from its data file to its evaluation: mix, models, what they answer, figures, and the way back."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from persona_assets.checks.gates import run_gates
from persona_assets.cli.evaluation import show_evaluation
from persona_assets.constraints.constraint import Constraint, to_json
from persona_assets.engines.select import Engines
from persona_assets.errors import UsageError
from persona_assets.evaluation.items import items_shown
from persona_assets.lake.catalog import query
from persona_assets.lineage import Status, audit
from persona_assets.lineage.descendants import descendants
from persona_assets.plan.needs import Needs
from persona_assets.plan.report import taken_by
from persona_assets.settings import Settings
from persona_assets.state import LakeState, State
from persona_assets.steps.model import Context, Report
from persona_assets.view.blocks import Section
from persona_assets.view.markdown import render
from persona_assets_tests.plan.work import Work
from persona_assets_tests.rows import draft
from persona_assets_tests.tasks.own import answer_of, task

OWN = """
import polars as pl
from persona_assets.tasks.derived import data_files, derived


@derived(
    reads=data_files("sums/*.jsonl", table="sum_files"),
    columns={"problem": pl.String, "working": pl.String, "split": pl.String},
    description="Sums with their working.",
)
def sums(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.select(
        "problem", "working", "split", parent_ids=pl.concat_list("row_id"),
    )


@derived(
    reads=data_files("requests/*.jsonl", table="request_files"),
    columns={"prompt": pl.String, "constraints": pl.String},
    description="Requests with constraints.",
)
def requests(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.select("prompt", "constraints", parent_ids=pl.concat_list("row_id"))


@derived(
    reads="requests",
    columns={"messages": pl.List(pl.Struct({"role": pl.String, "content": pl.String}))},
    description="A question about each request, and what follows.",
)
def talks(rows: pl.LazyFrame) -> pl.LazyFrame:
    said = [("user", pl.lit("Rivers?")), ("assistant", pl.lit("Yes."))]
    said += [("user", pl.col("prompt").str.head(8)), ("assistant", pl.lit("Lena."))]
    messages = pl.concat_list(pl.struct(role=pl.lit(role), content=text) for role, text in said)
    return rows.select(messages=messages, parent_ids=pl.concat_list("sample_id"))
"""
RECIPE: dict[str, Any] = {
    "title": "Sums",
    "variants": {"few": {"share": 0.5}},
    "base": {"scratch": {"hidden": 16, "layers": 1, "heads": 1, "vocabulary": 300, "length": 64}},
    "seeds": [0, 1],
    "stages": [
        {
            "id": "sums",
            "kind": "sft",
            "rows": [{"dataset": "sums", "columns": {"prompt": "problem", "response": "{working}"}}],
            "train": {"epochs": 2, "batch": 8, "rate": 0.01},
        }
    ],
    "evaluate": {
        "suites": [
            {"id": "sums", "kind": "maths", "of": "sums", "max_tokens": 8},
            {"id": "loss", "kind": "loss", "of": "sums"},
            {"id": "file", "kind": "maths", "file": "own", "max_tokens": 8, "size": 3},
            {"id": "rules", "kind": "constraints", "file": "rules", "max_tokens": 8},
            {
                "id": "requests",
                "kind": "constraints",
                "rows": [{"dataset": "requests", "columns": {"prompt": "prompt", "constraints": "constraints"}}],
                "max_tokens": 8,
            },
            {
                "id": "talks",
                "kind": "loss",
                "rows": [{"dataset": "talks", "columns": {"messages": "messages"}}],
            },
        ]
    },
}
REQUESTS = [
    {"prompt": f"Name {count} rivers, and use no commas.", "constraints": to_json((Constraint("no_commas", {}, ""),))}
    for count in (2, 3, 4)
] + [{"prompt": "How much is 2 and 3?", "constraints": to_json((Constraint("no_digits", {}, ""),))}]
RULES = [
    {"prompt": "Sing without commas.", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]},
    {"prompt": "Sing twice.", "instruction_id_list": ["combination:two_responses"], "kwargs": [{}]},
]
ROWS = [
    {
        "problem": f"How much is {one} and {other}?",
        "working": f"{one} + {other} = {one + other}#{one + other}",
        "split": "held_out" if (one + other) % 4 == 0 else "train",
    }
    for one in range(2, 10)
    for other in range(2, 8)
]
MADE = ("sum_files", "request_files", "benchmark_files", "sums", "requests", "talks", "recipes",
        "training_mix", "fine_tuned_model", "evaluation_items",
        "evaluation_answers", "evaluation_scores", "evaluation_grades", "evaluation")  # fmt: skip


def made(work: Work, *names: str) -> dict[str, Report]:
    """Make the partitions of these assets, in the order of the graph."""
    state, engines = LakeState(work.lake, work.settings), Engines(work.lake)
    context = Context(work.lake, work.settings, engines, "run", keeper=state)
    found: dict[str, Report] = {}
    try:
        for name in names:
            for key in (key for key in state.keys(name) if state.is_chosen(name, key)):
                for _, report in state.assets[name].run(context, key):
                    found[name] = report
    finally:
        engines.close()
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Work]:
    """All assets of a recipe, made once."""
    folder = tmp_path_factory.mktemp("recipe")
    for name in ("sums", "requests", "recipes"):
        (folder / "tasks" / name).mkdir(parents=True)
    (folder / "tasks" / "own.py").write_text(OWN, encoding="utf-8")
    (folder / "tasks" / "recipes" / "own.yaml").write_text(yaml.safe_dump(RECIPE, sort_keys=False), encoding="utf-8")
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    (folder / "tasks" / "sums" / "all.jsonl").write_text(lines, encoding="utf-8")
    lines = "".join(json.dumps(row) + "\n" for row in REQUESTS)
    (folder / "tasks" / "requests" / "all.jsonl").write_text(lines, encoding="utf-8")
    held = folder / "benchmarks"
    held.mkdir()
    problems = [
        {
            "question": f"{at} pears and {at + 1} apples lie in a basket. How many fruits?",
            "answer": str(2 * at + 1),
        }
        for at in range(2, 9)
    ]
    (held / "own.jsonl").write_text("".join(json.dumps(one) + "\n" for one in problems), encoding="utf-8")
    (held / "rules.jsonl").write_text("".join(json.dumps(one) + "\n" for one in RULES), encoding="utf-8")
    settings = Settings(
        lake=str(folder / "lake"),
        dumps=str(folder / "dumps"),
        tasks=str(folder / "tasks"),
        benchmarks=str(held),
        datasets=("evaluation",),
        recipes=("own",),
    )
    work = Work(folder, settings)
    made(work, *MADE)
    yield work


@pytest.fixture
def work(whole: Work, tmp_path: Path) -> Work:
    """A copy of them."""
    folder = tmp_path / "copy"
    shutil.copytree(whole.folder, folder)
    places = {name: str(folder / name) for name in ("lake", "dumps", "tasks", "benchmarks")}
    return Work(folder, whole.settings.model_copy(update=places))


def rows(work: Work, asset: str) -> pl.DataFrame:
    return work.lake.read(LakeState(work.lake, work.settings).assets[asset].table, "own")


def standings(work: Work) -> dict[str, State]:
    state = LakeState(work.lake, work.settings)
    return {name: state.of(name, "own").state for name in MADE[6:]}


def test_every_partition_is_done_and_passes_its_gates(whole: Work) -> None:
    state = LakeState(whole.lake, whole.settings)
    assert set(standings(whole).values()) == {State.DONE}
    for name in MADE[6:]:
        table = state.assets[name].table
        outcomes = run_gates(whole.lake, draft(whole.lake, table, "own"), whole.settings, state.around(name))
        assert [gate.name for gate in outcomes if not gate.passed] == [], name


def test_there_is_a_model_for_each_seed_that_engines_know_by_its_name(whole: Work) -> None:
    models = rows(whole, "fine_tuned_model")
    assert models["seed"].to_list() == [0, 1]
    assert models["model"].n_unique() == 2
    assert models["revision"].n_unique() == 2
    assert all(name.startswith("lake:mdl_") for name in models["model"])
    assert (models["last_loss"] < models["first_loss"]).all()
    assert models["rows"].to_list() == [sum(row["split"] == "train" for row in ROWS)] * 2


def test_base_and_models_are_asked_the_same_and_held_out_rows_alone(whole: Work) -> None:
    items = rows(whole, "evaluation_items")
    asked = items.group_by("system", "seed").agg(pl.col("item_id").sort(), pl.col("prompt").sort())
    assert asked.height == 3
    assert asked["item_id"].n_unique() == 1
    held = {row["problem"] for row in ROWS if row["split"] == "held_out"}
    assert set(items.filter(suite="sums")["prompt"]) == held
    assert items.filter(suite="file", system="base").height == 3


def test_rows_of_a_suite_are_asked_but_for_those_that_are_trained_on(whole: Work) -> None:
    extra = rows(whole, "training_mix").filter(stage="requests")
    asked = rows(whole, "evaluation_items").filter(suite="requests")
    known = {row["problem"] for row in ROWS if row["split"] == "train"}
    assert set(extra.filter(left_out="trained_on")["prompt"]) == {REQUESTS[-1]["prompt"]} <= known
    assert set(asked["prompt"]) == {one["prompt"] for one in REQUESTS[:-1]}
    grades = rows(whole, "evaluation_grades").filter(suite="requests")
    assert grades.height == asked.height == 9
    assert set(grades["verdict"]) <= {"correct", "wrong"}
    found = audit(whole.lake, whole.settings, grades["sample_id"][0])
    assert [one for one in found.verifications if one.status is not Status.OK] == []
    assert {"requests", "request_files"} <= {node.table for node in found.nodes()}


def test_the_last_answer_of_a_conversation_is_scored_after_all_that_was_said_before(whole: Work) -> None:
    asked = rows(whole, "evaluation_items").filter(suite="talks", system="base")
    assert asked["before"].list.len().to_list() == [2] * len(REQUESTS)
    assert set(asked["prompt"]) == {one["prompt"][:8] for one in REQUESTS}
    [score] = (
        rows(whole, "evaluation_scores").filter(pl.col("parent_ids").list.first() == asked["sample_id"][0]).to_dicts()
    )
    found = audit(whole.lake, whole.settings, score["sample_id"])
    assert [one for one in found.verifications if one.status is not Status.OK] == []
    [call] = [node.call for node in found.nodes() if node.id == score["sample_id"] and node.call]
    assert [(one["role"], one["content"]) for one in call.messages] == [
        ("user", "Rivers?"),
        ("assistant", "Yes."),
        ("user", asked["prompt"][0]),
        ("assistant", "Lena."),
    ]
    assert rows(whole, "evaluation_grades").filter(suite="talks", system="base")["value"].null_count() == 0


def test_an_item_that_no_program_can_check_is_asked_of_nobody_and_told(whole: Work) -> None:
    items = rows(whole, "evaluation_items").filter(suite="rules")
    left = items.filter(pl.col("left_out").is_not_null())
    assert set(left.select("prompt", "form", "left_out").rows()) == {("Sing twice.", "nothing", "no_checker")}
    assert rows(whole, "evaluation_grades").filter(suite="rules").height == 3
    assert "rules: 1 left out, no_checker." in render(Section("", items_shown(rows(whole, "evaluation_items"))))


def test_each_answer_is_of_the_model_that_its_item_names(whole: Work) -> None:
    items = rows(whole, "evaluation_items").select("sample_id", named=pl.col("answered_by").struct.field("model"))
    answers = rows(whole, "evaluation_answers").select("model", sample_id=pl.col("parent_ids").list.first())
    joined = answers.join(items, on="sample_id")
    assert joined.height == answers.height > 0
    assert (joined["model"] == joined["named"]).all()
    assert joined["model"].n_unique() == 3


def test_the_loss_of_what_was_held_out_falls_beyond_its_interval(whole: Work) -> None:
    whole_suite = (pl.col("suite") == "loss") & (pl.col("system") == "base") & pl.col("stratum").is_null()
    [row] = rows(whole, "evaluation").filter(whole_suite).to_dicts()
    assert row["tuned_minus"] < row["tuned_minus_high"] < 0


def test_made_again_nothing_is_trained_and_nobody_is_asked(work: Work) -> None:
    before = {path: path.stat().st_mtime_ns for path in (work.folder / "lake" / "models").rglob("*")}
    reports = made(work, *MADE)
    assert {path: path.stat().st_mtime_ns for path in (work.folder / "lake" / "models").rglob("*")} == before
    assert reports["evaluation_answers"].calls_made == reports["evaluation_scores"].calls_made == 0
    assert reports["evaluation_answers"].calls_reused > 0


def test_an_audit_leads_from_a_model_to_its_rows_and_their_file(whole: Work) -> None:
    models = rows(whole, "fine_tuned_model")
    found = audit(whole.lake, whole.settings, models["sample_id"][0])
    assert [one for one in found.verifications if one.status is not Status.OK] == []
    assert found.root.made_of == {"training_mix own": rows(whole, "training_mix").height}
    tables = {node.table for node in found.nodes()}
    assert {"training_mix", "sums", "sum_files", "recipes"} <= tables


def test_an_audit_leads_from_a_figure_to_answers_calls_items_and_models(whole: Work) -> None:
    figure = rows(whole, "evaluation").filter(suite="sums", system="tuned")["sample_id"][0]
    found = audit(whole.lake, whole.settings, figure)
    assert [one for one in found.verifications if one.status is not Status.OK] == []
    tables = {node.table for node in found.nodes()}
    assert {"evaluation_grades", "evaluation_items", "fine_tuned_model", "training_mix", "sums"} <= tables
    assert any(node.call for node in found.nodes())


def test_what_came_of_a_row_are_the_models_and_figures_too(whole: Work) -> None:
    taken = rows(whole, "training_mix").filter(side="train")["taken_id"][0]
    tables = {one.table for one in descendants(whole.lake, whole.settings, taken)}
    assert {"training_mix", "fine_tuned_model", "evaluation_items", "evaluation_grades", "evaluation"} <= tables


def test_a_model_whose_weights_are_gone_fails_its_audit(work: Work) -> None:
    row_id, model = rows(work, "fine_tuned_model").sort("seed").select("sample_id", "model").row(0)
    shutil.rmtree(work.folder / "lake" / "models" / model.removeprefix("lake:"))
    found = audit(work.lake, work.settings, row_id)
    assert any("weights" in one.detail for one in found.failures)


def test_weights_that_were_changed_fail_the_audit(work: Work) -> None:
    row_id, model = rows(work, "fine_tuned_model").sort("seed").select("sample_id", "model").row(0)
    weights = work.folder / "lake" / "models" / model.removeprefix("lake:") / "model" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert "row_computes_again" in {one.name for one in audit(work.lake, work.settings, row_id).failures}


def test_a_row_that_disappears_upstream_makes_mix_model_and_evaluation_stale_one_after_the_other(work: Work) -> None:
    path = work.folder / "tasks" / "sums" / "all.jsonl"
    left = [row for row in ROWS if row is not next(one for one in ROWS if one["split"] == "train")]
    path.write_text("".join(json.dumps(row) + "\n" for row in left), encoding="utf-8")
    made(work, "sum_files", "sums")
    assert standings(work)["training_mix"] is State.STALE
    made(work, "training_mix")
    state = LakeState(work.lake, work.settings)
    held = Needs(Context(work.lake, work.settings, Engines(work.lake), "run"), state).held_back(
        state.of("fine_tuned_model", "own")
    )
    assert held
    assert taken_by([held]) == "2 trainings"  # which nobody does unasked
    found = standings(work)
    assert found["fine_tuned_model"] is State.STALE
    assert found["evaluation_items"] is State.STALE


def test_what_does_not_shape_the_weights_trains_nothing_anew(work: Work) -> None:
    models = rows(work, "fine_tuned_model")["model"].to_list()
    changed = {**RECIPE, "title": "Other", "evaluate": {"suites": RECIPE["evaluate"]["suites"][:1]}}
    path = work.folder / "tasks" / "recipes" / "own.yaml"
    path.write_text(yaml.safe_dump(changed, sort_keys=False), encoding="utf-8")
    made(work, *MADE)
    assert rows(work, "fine_tuned_model")["model"].to_list() == models
    assert set(rows(work, "evaluation")["suite"]) == {"sums"}


def test_a_card_beside_the_weights_says_what_a_model_was_trained_on_and_how_to_trace_it(whole: Work) -> None:
    row = rows(whole, "fine_tuned_model").row(0, named=True)
    model_id = row["model"].removeprefix("lake:")
    text = (whole.folder / "lake" / "models" / model_id / "model" / "README.md").read_text(encoding="utf-8")
    header = yaml.safe_load(text.split("---")[1])
    assert header["tags"] == ["synthetic", "personas", "sft"]
    assert "base_model" not in header
    for said in (model_id, "own", "random weights", "sums", f"{row['rows']:,}", f"{row['steps']:,}"):
        assert said in text
    asked = text.split('sql "')[2].split('"')[0]
    tables = [asset.table for asset in LakeState(whole.lake, whole.settings).assets.values()]
    assert query(whole.lake, asked, tables)["sample_id"].to_list() == [row["sample_id"]]


def test_the_curves_of_a_training_are_drawn_beside_its_weights(whole: Work) -> None:
    model_id = rows(whole, "fine_tuned_model")["model"][0].removeprefix("lake:")
    page = (whole.folder / "lake" / "models" / model_id / "training.html").read_text(encoding="utf-8")
    assert page.count("<polyline") == 3
    assert "Sums, seed 0" in page


# The models as systems of a task


def with_a_task(work: Work, *systems: str) -> Work:
    """The same with a task that these systems answer."""
    told = task("asked", "{{ problem }}", answer_of(answer="string"), reads="sums", answer={"parser": "raw"},
                sampling={"max_tokens": 4})  # fmt: skip
    (work.folder / "tasks" / "asked.yaml").write_text(yaml.safe_dump(told), encoding="utf-8")
    own = {"datasets": ("asked",), "systems": {"asked": systems}}
    return Work(work.folder, work.settings.model_copy(update=own))


def test_what_a_recipe_started_from_and_its_models_answer_a_task_side_by_side(work: Work) -> None:
    models = rows(work, "fine_tuned_model")
    asking = with_a_task(work, "recipe:own")
    made(asking, "asked")
    table = LakeState(asking.lake, asking.settings).assets["asked"].table
    answers = asking.lake.read(table, "all")
    assert answers.group_by("system", "model").len().sort("system").rows() == [
        ("own:0", models["model"][0], len(ROWS)),
        ("own:1", models["model"][1], len(ROWS)),
        ("own:base", models["base"][0], len(ROWS)),
    ]
    found = audit(asking.lake, asking.settings, answers.filter(system="own:0")["sample_id"][0])
    assert [one for one in found.verifications if one.status is not Status.OK] == []


def test_systems_of_a_recipe_without_a_model_are_told_with_how_to_train_it(work: Work) -> None:
    asking = with_a_task(work, "recipe:owl")
    with pytest.raises(UsageError, match=r"no model of this recipe \(did you mean own\?.*PERSONA_RECIPES=owl"):
        made(asking, "asked")


# The command


def test_the_command_shows_figures_conclusions_and_plots(
    whole: Work, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "own.html"
    show_evaluation(whole.settings, ["own"], as_json=True, html=page)
    told = json.loads(capsys.readouterr().out)
    assert {row["suite"] for row in told["results"]} == {"sums", "loss", "file", "rules", "requests", "talks"}
    assert told["facts"]["left out"] == "rules: 1 items, no_checker"
    assert any("better" in line for line in told["conclusions"])
    assert page.read_text(encoding="utf-8").count("<polyline") >= 3
    show_evaluation(whole.settings, ["own"], as_json=False, html=None)
    assert "random weights" in capsys.readouterr().out


def test_the_command_compares_recipes_with_the_first(whole: Work, capsys: pytest.CaptureFixture[str]) -> None:
    show_evaluation(whole.settings, ["own", "own-few"], as_json=True, html=None)
    told = json.loads(capsys.readouterr().out)
    assert told["reference"] == "own"
    assert told["sizes"]["own-few"]["rows"] == told["sizes"]["own"]["rows"] / 2
    row = next(one for one in told["results"] if one["recipe"] == "own-few" and one["suite"] == "loss")
    assert row["minus_reference_low"] <= row["minus_reference"] <= row["minus_reference_high"]
    assert len(row["seed_values"]) == 2


def test_the_command_lists_recipes(whole: Work, capsys: pytest.CaptureFixture[str]) -> None:
    show_evaluation(whole.settings, [], as_json=True, html=None)
    assert json.loads(capsys.readouterr().out) == [
        {"recipe": "own", "results": True},
        {"recipe": "own-few", "results": True},
    ]


@pytest.mark.parametrize("names", [["ow"], ["own", "ow"]])
def test_an_unknown_recipe_is_told(whole: Work, names: list[str]) -> None:
    with pytest.raises(UsageError, match="there is no recipe ow; did you mean own"):
        show_evaluation(whole.settings, names, as_json=False, html=None)
