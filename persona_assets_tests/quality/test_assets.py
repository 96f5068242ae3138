"""`<dataset>_quality` in a small lake: what it measures, what its check fails on, and that it is traced."""

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
from persona_assets.making import make
from persona_assets.quality.assets import LIMITS, MEASURES, diverse_enough
from persona_assets.quality.report import measure
from persona_assets.quality.rows import datasets_of
from persona_assets.settings import Settings
from persona_assets.state import LakeState
from persona_assets.steps.model import Context
from persona_assets.tasks.load import datasets
from persona_assets_tests.lineage.small_lake import ScriptedEngine, Small, build
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


def made(small: Small, settings: Settings) -> pl.DataFrame:
    for name in (LIMITS, NAME):
        state = LakeState(small.lake, settings)
        context = Context(small.lake, settings, ScriptedEngine(settings), "q")
        list(make(context, state, state.assets[name], KEY, again=True))
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


def test_the_bundled_limits_name_every_measure(small: Small) -> None:
    rows = small.lake  # the file is read as the package has it
    assert rows is not None
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
    state = LakeState(small.lake, settings)
    context = Context(small.lake, settings, ScriptedEngine(settings), "q")
    for name in (LIMITS, NAME):
        state = LakeState(small.lake, settings)
        [one] = list(make(context, state, state.assets[name], KEY, again=True))
    shown = partition_metadata(small.lake, assets(settings)[NAME], one)["figures"].value
    assert "near" in shown
    assert "≤ 0.9" in shown
