"""Functions that are declared as assets, in files as a user writes them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from persona_assets.checks.gates import Around, run_gates
from persona_assets.errors import UsageError
from persona_assets.graph import assets
from persona_assets.lake import Lake
from persona_assets.lake.schemas import ASSET_TABLES, DEDUPED_PERSONAS, RAW_DOCUMENTS
from persona_assets.lineage.computed import Computed
from persona_assets.lineage.find import Finder, locate
from persona_assets.lineage.model import Status
from persona_assets.lineage.steps import Steps
from persona_assets.settings import Settings
from persona_assets.tasks.derived import DerivedStep
from persona_assets.tasks.load import datasets
from persona_assets_tests.rows import SHARD, context, document, draft, persona, put

HEAD = "import polars as pl\nfrom persona_assets.tasks.derived import derived\n"
PEOPLE = [
    persona("1", "a", text="A nurse", language="en"),
    persona("2", "a", text="A nurse", language="en"),
    persona("3", "b", text="Повар", language="ru"),
]
SAME = """
@derived(reads="deduped_personas", columns={"words": pl.List(pl.String), "count": pl.Int64}, description="Equal texts.")
def same_texts(people: pl.LazyFrame) -> pl.LazyFrame:
    groups = people.group_by("text").agg(parent_ids=pl.col("persona_id").sort(), count=pl.len())
    alone = pl.col("count") == 1
    return groups.select(
        "parent_ids", "count", words=pl.col("text").str.split(" "),
        reason=pl.when(alone).then(pl.lit("alone")), detail=pl.when(alone).then("text"),
    )
"""


def settings(folder: Path, code: str) -> Settings:
    """Settings whose folder of tasks holds one Python file."""
    (folder / "own.py").write_text(HEAD + code, encoding="utf-8")
    return Settings(tasks=str(folder))


def step(folder: Path, code: str) -> DerivedStep:
    """The last function of the file."""
    return declared_in(settings(folder, code))[-1]


def declared_in(own: Settings) -> list[DerivedStep]:
    """The functions of a test's own file, in the order in which they come."""
    found = [one for one in datasets(own).values() if isinstance(one, DerivedStep)]
    return [one for one in found if one.declared.file.name == "own.py"]


def run(lake: Lake, own: DerivedStep) -> Any:
    put(lake, RAW_DOCUMENTS, document("a"), document("b"))
    put(lake, DEDUPED_PERSONAS, *PEOPLE)
    return own.run(context(lake, Settings()), SHARD)


def failing(lake: Lake, own: DerivedStep) -> dict[str, int]:
    """The gates that do not pass."""
    around = Around({**ASSET_TABLES, own.table.name: own.table})
    gates = run_gates(lake, draft(lake, own.table), Settings(), around)
    return {gate.name: gate.failing for gate in gates if gate.failing}


def test_rows_have_their_parents_and_what_these_came_from(lake: Lake, tmp_path: Path) -> None:
    own = step(tmp_path, SAME)
    report = run(lake, own)
    [row] = lake.read(own.table, SHARD).to_dicts()
    assert (row["parent_ids"], row["persona_ids"], row["document_id"]) == (["per_1", "per_2"],) * 2 + ("doc_a",)
    assert (row["words"], row["count"], row["language"], row["task"]) == (["A", "nurse"], 2, "en", "same_texts")
    assert (report.inputs, report.kept, dict(report.rejected)) == (3, 1, {"alone": 1})
    assert failing(lake, own) == {}


def test_a_row_with_a_reason_sets_its_parents_aside(lake: Lake, tmp_path: Path) -> None:
    own = step(tmp_path, SAME)
    run(lake, own)
    aside = lake.rejects(own.table, SHARD).select("row_id", "parent_id", "reason", "detail").collect().rows()
    assert aside == [("per_3", "per_3", "alone", "Повар")]


def test_a_parent_that_is_in_no_place_fails_a_gate(lake: Lake, tmp_path: Path) -> None:
    own = step(tmp_path, SAME.replace("return groups", "return groups.filter(~alone)"))
    run(lake, own)
    assert failing(lake, own) == {"accounted": 1}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"parent_ids", "count", words', '"parent_ids", words', r"without \['count'\]"),
        ('"parent_ids", "count"', '"parent_ids", "text", "count"', r"with \['text'\] beside"),
        ('pl.col("persona_id").sort()', 'pl.lit("per_9").implode()', "names per_9, which is not in its partition"),
        ("return groups.select(", "return dict(", "failed: TypeError: dict expected"),
        ("    groups = people", "    return [1]\n    groups = people", "gives list, not a frame"),
    ],
)
def test_what_a_function_gives_wrong_is_told_with_its_line(
    lake: Lake, tmp_path: Path, old: str, new: str, said: str
) -> None:
    own = step(tmp_path, SAME.replace(old, new))
    with pytest.raises(UsageError, match=said) as raised:
        run(lake, own)
    assert "own.py:4: same_texts" in str(raised.value)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("x = 1 / 0\n", r"own.py:3: ZeroDivisionError"),
        ("def f(:\n", r"own.py:3: SyntaxError"),
        (SAME.replace("deduped_personas", "dedupd_personas"), "which is not an asset; did you mean deduped_personas"),
        (SAME.replace("deduped_personas", "persona_survivors"), "partitioned by dump"),
        (SAME.replace('"count": pl', '"shard": pl'), "the column shard is one that every dataset has"),
        (SAME.replace("def same_texts", "def personas"), "belongs to the project itself"),
        (SAME.replace("def same_texts", "def SameTexts"), "is not one of an asset"),
        (SAME.replace("def same_texts", "def math_problems"), "is taken by"),
    ],
)
def test_a_file_that_declares_nothing_usable_is_told_before_anything_runs(tmp_path: Path, code: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        datasets(settings(tmp_path, code))


def test_two_functions_may_read_one_another(tmp_path: Path) -> None:
    second = SAME.replace("deduped_personas", "same_texts").replace("def same_texts", "def again")
    found = declared_in(settings(tmp_path, second + SAME))
    assert [one.declared.name for one in found] == ["same_texts", "again"]


def test_functions_that_read_each_other_in_a_circle_are_told(tmp_path: Path) -> None:
    second = SAME.replace("deduped_personas", "same_texts").replace("def same_texts", "def again")
    with pytest.raises(UsageError, match="they read one another: again reads same_texts reads again"):
        datasets(settings(tmp_path, second + SAME.replace("deduped_personas", "again")))


def test_the_audit_runs_the_function_again(lake: Lake, tmp_path: Path) -> None:
    own = step(tmp_path, SAME)
    run(lake, own)
    steps = Steps.of(Settings(tasks=str(tmp_path)))
    [row] = lake.read(own.table, SHARD).to_dicts()
    found = locate(Finder(lake, steps.task_tables), row["sample_id"])
    assert {one.name: one.status for one in Computed(lake, steps, Settings()).row(found)} == {
        "id_recomputes": Status.OK,
        "row_computes_again": Status.OK,
    }
    other = replace(found, row={**row, "count": 3})
    assert {one.status for one in Computed(lake, steps, Settings()).row(other)} == {Status.FAILED}


def test_only_columns_that_say_so_may_be_null(lake: Lake, tmp_path: Path) -> None:
    empty = SAME.replace('words=pl.col("text").str.split(" ")', "words=pl.lit(None, pl.List(pl.String))")
    run(lake, step(tmp_path, empty))
    assert failing(lake, step(tmp_path, empty)) == {"no_nulls": 1}
    (tmp_path / "other").mkdir()
    may_be = empty.replace('description="Equal', 'nullable=("words",), description="Equal')
    assert failing(lake, step(tmp_path / "other", may_be)) == {}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ('nullable=("word",)', "nullable word is no column; did you mean words"),
        ('set_checks=("no_family_part",)', "there is no check no_family_part of functions; did you mean no_family"),
        ('set_checks=("no_family_parted",)', "no_family_parted looks at the column split, which is not there"),
    ],
)
def test_columns_and_checks_that_are_not_there_are_told(tmp_path: Path, given: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        datasets(settings(tmp_path, SAME.replace('description="Equal', f'{given}, description="Equal')))


SETTING = """
@derived(reads="deduped_personas", columns={"hops": pl.Int64}, description="A setting.", settings=("hops",))
def asked_hops(people: pl.LazyFrame, hops: int) -> pl.LazyFrame:
    return people.select(parent_ids=pl.concat_list("persona_id"), hops=pl.lit(hops))
"""


def test_a_function_is_given_the_settings_that_it_names_and_they_are_in_its_recipe(lake: Lake, tmp_path: Path) -> None:
    own = step(tmp_path, SETTING)
    put(lake, RAW_DOCUMENTS, document("a"), document("b"))
    put(lake, DEDUPED_PERSONAS, *PEOPLE)
    own.run(context(lake, Settings(hops=4)), SHARD)
    assert set(lake.read(own.table, SHARD)["hops"]) == {4}
    asset = assets(Settings(tasks=str(tmp_path)))["asked_hops"]
    assert asset.recipe(Settings(hops=4), None)["settings"] == {"hops": 4}


def test_a_setting_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no setting hop; did you mean hops"):
        datasets(settings(tmp_path, SETTING.replace('settings=("hops",)', 'settings=("hop",)')))
