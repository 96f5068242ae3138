"""`<dataset>_quality` in a small lake: what it measures, what its check fails on, and that it is traced."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from persona_assets.checks.gates import run_gates
from persona_assets.defs.metadata import partition_metadata
from persona_assets.errors import UsageError
from persona_assets.graph import assets
from persona_assets.lineage import Status, audit
from persona_assets.making import Made, make
from persona_assets.quality.assets import LIMITS, MEASURES, diverse_enough
from persona_assets.quality.report import measure
from persona_assets.quality.rows import datasets_of
from persona_assets.settings import Settings
from persona_assets.state import LakeState, State
from persona_assets.steps.model import Context
from persona_assets.tasks.load import datasets
from persona_assets_tests.lineage.small_lake import SHARD, ScriptedEngine, Small, build
from persona_assets_tests.rows import draft

TASK = "own_problems"
NAME = f"{TASK}_quality"
KEY = "limits"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return build(tmp_path_factory.mktemp("quality_assets"))


def having(small: Small, **told: Any) -> Settings:
    return small.settings.model_copy(update={"measured": (TASK,), **told})


def limits(small: Small, *rows: dict[str, Any]) -> None:
    """Limits of a user's own, in the folder of tasks."""
    folder = Path(str(small.settings.tasks)) / "quality"
    folder.mkdir(exist_ok=True)
    (folder / "limits.yaml").write_text(yaml.safe_dump([*rows]), encoding="utf-8")


def make_one(small: Small, settings: Settings, name: str, key: str) -> list[Made]:
    state = LakeState(small.lake, settings)
    context = Context(small.lake, settings, ScriptedEngine(settings), "quality")
    return list(make(context, state, state.assets[name], key, again=True))


def made(small: Small, settings: Settings) -> pl.DataFrame:
    for name in (LIMITS, NAME):
        make_one(small, settings, name, KEY)
    return small.lake.read(assets(settings)[NAME].table, KEY)


def failed(small: Small, settings: Settings) -> dict[str, list[str]]:
    """The gates that fail, each with the measures of its rows."""
    around = LakeState(small.lake, settings).around(NAME)
    outcomes = run_gates(small.lake, draft(small.lake, assets(settings)[NAME].table, KEY), settings, around)
    return {one.name: [str(row["measure"]) for row in one.head] for one in outcomes if not one.passed}


def test_it_says_what_the_report_says(small: Small) -> None:
    rows = made(small, having(small))
    told = measure(small.lake, small.settings, datasets_of(datasets(small.settings)), (), lambda name, done: None)
    [own] = [one for one in told.datasets if one.dataset == TASK]
    assert own.groups
    for group in own.groups:
        mine = rows.filter((pl.col("language") == group.language) & pl.col("mode").eq_missing(group.mode))
        found = dict(mine.select("measure", "value").iter_rows())
        assert found["near_duplicates"] == group.duplicates / group.rows
        assert found["self_bleu"] == group.self_bleu
        assert found["vendi"] == group.vendi
        assert set(mine["rows"]) == {group.rows}


def test_a_row_is_computed_again_by_the_audit(small: Small) -> None:
    settings = having(small)
    rows = made(small, settings)
    found = audit(small.lake, settings, rows["sample_id"][0])
    assert {one.status for one in found.verifications} == {Status.OK}
    assert "row_computes_again" in {one.name for one in found.verifications}


def test_a_new_row_of_the_dataset_makes_it_stale(small: Small) -> None:
    settings = having(small)
    made(small, settings)
    assert str(LakeState(small.lake, settings).of(NAME, KEY).state) == "done"
    other = having(small, lexical_threshold=0.5)
    assert str(LakeState(small.lake, other).of(NAME, KEY).state) == "stale"


def test_a_measure_beyond_its_limit_fails_the_check_and_is_named(small: Small) -> None:
    limits(small, {"measure": "distinct_2", "least": 2}, {"measure": "vendi"}, {"measure": "self_bleu", "most": 1.0})
    settings = having(small)
    rows = made(small, settings)
    assert set(rows["measure"]) <= {"distinct_2", "vendi", "self_bleu"}
    assert set(failed(small, settings)) == {"diverse_enough"}
    assert set(failed(small, settings)["diverse_enough"]) == {"distinct_2"}


def test_small_groups_are_held_to_nothing(small: Small) -> None:
    limits(small, {"measure": "distinct_2", "least": 2, "fewest": 1_000_000})
    settings = having(small)
    made(small, settings)
    assert failed(small, settings) == {}


def test_a_measure_that_is_none_is_named_with_a_near_one(small: Small) -> None:
    limits(small, {"measure": "distinct_22", "least": 2})
    with pytest.raises(UsageError, match="there is no measure distinct_22; did you mean distinct_2"):
        made(small, having(small))


def test_the_bundled_limits_name_every_measure() -> None:
    step = datasets(Settings(measured=("math_problems",)))[LIMITS]
    [path] = step.paths  # type: ignore[union-attr]
    assert [row["measure"] for row in yaml.safe_load(path.read_text(encoding="utf-8"))] == [*MEASURES]


@pytest.mark.parametrize(
    ("row", "fails"),
    [
        ({"value": 0.1, "least": 0.2}, True),
        ({"value": 0.1, "most": 0.05}, True),
        ({"value": 0.1, "least": 0.1, "most": 0.1}, False),
        ({"value": 0.1}, False),
        ({"value": 0.1, "least": 0.2, "fewest": 11}, False),
        ({"value": 0.1, "least": 0.2, "fewest": 10}, True),
    ],
)
def test_a_value_is_held_to_both_limits(row: dict[str, float], fails: bool) -> None:
    told = {"rows": 10, "value": None, "least": None, "most": None, "fewest": None} | row
    types = {"rows": pl.Int64, "value": pl.Float64, "least": pl.Float64, "most": pl.Float64, "fewest": pl.Int64}
    found: Any = diverse_enough.function(pl.LazyFrame([told], schema=types)).collect()
    assert found.height == fails


def test_what_is_no_task_of_texts_is_named(small: Small) -> None:
    with pytest.raises(UsageError, match="no task of texts own_problem; did you mean own_problems"):
        assets(having(small, measured=("own_problem",)))


def test_the_ui_shows_its_measures(small: Small) -> None:
    limits(small, {"measure": "near_duplicates", "most": 0.9}, {"measure": "vendi"})
    settings = having(small)
    for name in (LIMITS, NAME):
        [one] = make_one(small, settings, name, KEY)
    shown = partition_metadata(small.lake, assets(settings)[NAME], one)["figures"].value
    assert "near" in shown
    assert "≤ 0.9" in shown


def near(small: Small, tmp_path: Path, *questions: str) -> tuple[Settings, pl.DataFrame, pl.DataFrame]:
    """Rows of a task that are near none of these questions, and those that are set aside."""
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    (folder / "test.jsonl").write_text(
        "".join(f"{json.dumps({'question': one})}\n" for one in questions), encoding="utf-8"
    )
    settings = having(small, benchmarks=str(folder))
    make_one(small, settings, f"{TASK}_apart", SHARD)
    table = assets(settings)[f"{TASK}_apart"].table
    return settings, small.lake.read(table, SHARD), small.lake.rejects(table, SHARD).collect()


def test_a_row_near_an_item_is_set_aside_with_item_and_cosine(small: Small, tmp_path: Path) -> None:
    problems = small.lake.read(assets(small.settings)[TASK].table, SHARD).sort("sample_id")
    _, texts = datasets_of(datasets(small.settings))[TASK]
    own = problems.select(text=texts)["text"][0]
    # The same in other words enough that no piece of 13 is shared, and an item about something else.
    words = own.split()
    other = " ".join(word for at, word in enumerate(words) if at % 9 != 8)
    settings, kept, aside = near(small, tmp_path, "Who was the first woman on a mountain of over 8,000 m?", other)
    assert problems["sample_id"][0] in set(aside["row_id"])
    assert set(aside["reason"]) == {"near_benchmark"}
    assert all("test.jsonl item 2: cosine 0.9" in said or "cosine 1.0" in said for said in aside["detail"])
    assert kept.height + aside.height == problems.height
    assert (kept["similarity"].drop_nulls() < 0.9).all()
    found = audit(small.lake, settings, aside["row_id"][0])
    assert {one.status for one in found.verifications} == {Status.OK}


def test_a_further_benchmark_makes_it_stale_and_is_named(small: Small, tmp_path: Path) -> None:
    settings, *_ = near(small, tmp_path, "Who was the first woman on a mountain of over 8,000 m?")
    further = {"question": "How many eggs does a duck lay in a week?"}
    (tmp_path / "benchmarks" / "further.jsonl").write_text(json.dumps(further), encoding="utf-8")
    found = LakeState(small.lake, settings).of(f"{TASK}_apart", SHARD)
    assert (found.state, found.why) == (State.STALE, "benchmark further.jsonl: new")


def test_a_view_takes_only_rows_apart_and_names_what_is_missing(small: Small, tmp_path: Path) -> None:
    views = tmp_path / "views"
    views.mkdir()
    (views / "apart.yaml").write_text(yaml.safe_dump({"task": TASK, "apart": True}), encoding="utf-8")
    with pytest.raises(UsageError, match=r"apart\.yaml:1: apart: nothing compares own_problems with benchmarks"):
        assets(having(small, views=str(views)))
    settings, kept, _ = near(small, tmp_path, "Who was the first woman on a mountain of over 8,000 m?")
    viewing = settings.model_copy(update={"views": str(views)})
    for name in ("apart_query", "apart"):
        state = LakeState(small.lake, viewing)
        list(
            make(
                Context(small.lake, viewing, ScriptedEngine(viewing), "v"),
                state,
                state.assets[name],
                "apart",
                again=True,
            )
        )
    rows = small.lake.read(assets(viewing)["apart"].table, "apart")
    assert set(rows["selected_id"]) == {one[0] for one in kept["parent_ids"]}


def test_a_view_of_what_is_diverse_waits_for_the_check(small: Small, tmp_path: Path) -> None:
    views = tmp_path / "views"
    views.mkdir()
    (views / "mix.yaml").write_text(yaml.safe_dump({"task": TASK, "diverse": True}), encoding="utf-8")
    viewing = having(small, views=str(views))
    limits(small, {"measure": "distinct_2", "least": 2})
    made(small, viewing)
    state = LakeState(small.lake, viewing)
    list(
        make(
            Context(small.lake, viewing, ScriptedEngine(viewing), "v"),
            state,
            state.assets["mix_query"],
            "mix",
            again=True,
        )
    )
    standing = LakeState(small.lake, viewing).of("mix", "mix")
    assert str(standing.state) == "waiting"
    assert NAME in standing.why
    limits(small, {"measure": "distinct_2", "least": 0.001})
    made(small, viewing)
    assert str(LakeState(small.lake, viewing).of("mix", "mix").state) == "missing"
