"""Views: which rows of a dataset a file selects, and what is wrong with a file."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.checks.gates import run_gates
from persona_assets.errors import UsageError
from persona_assets.graph import assets
from persona_assets.lake import Lake
from persona_assets.lineage import Status, audit
from persona_assets.making import make
from persona_assets.settings import Settings
from persona_assets.state import LakeState
from persona_assets.steps.model import Context
from persona_assets.tasks.views import View, selected
from persona_assets_tests.lineage.small_lake import SHARD, ScriptedEngine, Small, build
from persona_assets_tests.rows import draft

TASK = "own_problems"
QUERY = pl.LazyFrame({"row_id": ["row_q"]})
ROWS = pl.LazyFrame(
    {
        "sample_id": [f"smp_{number}" for number in range(40)],
        "persona_ids": [[f"per_{number // 2}"] for number in range(40)],
        "shard": ["d.0000"] * 20 + ["d.0001"] * 20,
        "language": ["en", "zh", "ru", "en"] * 10,
        "votes": [number % 5 for number in range(40)],
    }
)


def view(folder: Path, settings: Settings, name: str = "mix", **told: Any) -> Settings:
    """Settings with a view of that name."""
    (folder / "views").mkdir(exist_ok=True)
    text = yaml.safe_dump({"task": TASK, **told})
    (folder / "views" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return settings.model_copy(update={"views": str(folder / "views")})


def chosen(**told: Any) -> pl.DataFrame:
    return selected(View.model_validate({"task": "t", **told}), QUERY, ROWS)


def made(lake: Lake, settings: Settings, name: str = "mix") -> pl.DataFrame:
    """The rows of a view, made with its file."""
    for one in (f"{name}_query", name):
        state = LakeState(lake, settings)
        list(make(Context(lake, settings, ScriptedEngine(settings), "v"), state, state.assets[one], name, again=True))
    return lake.read(assets(settings)[name].table, name)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return build(tmp_path_factory.mktemp("views"))


def test_a_row_of_a_view_verifies_down_to_the_crawl_record(small: Small, tmp_path: Path) -> None:
    settings = view(tmp_path, small.settings)
    rows = made(small.lake, settings)
    samples = small.lake.read(assets(settings)[TASK].table, SHARD)
    assert sorted(rows["selected_id"]) == sorted(samples["sample_id"])
    assert set(rows["selected_shard"]) == {SHARD}
    found = audit(small.lake, settings, rows["sample_id"][0])
    assert {one.status for one in found.verifications} == {Status.OK}
    assert {"crawl_record", "document", "persona"} <= {node.kind for node in found.nodes()}
    assert str(LakeState(small.lake, settings).of("mix", "mix").state) == "done"


def test_a_changed_file_makes_its_view_stale(small: Small, tmp_path: Path) -> None:
    made(small.lake, view(tmp_path, small.settings, "later"), "later")
    other = view(tmp_path, small.settings, "later", size=1)
    assert str(LakeState(small.lake, other).of("later", "later").state) == "stale"


def test_too_few_rows_fail_a_check(small: Small, tmp_path: Path) -> None:
    settings = view(tmp_path, small.settings, "many", size=10_000)
    made(small.lake, settings, "many")
    table = assets(settings)["many"].table
    outcomes = run_gates(
        small.lake, draft(small.lake, table, "many"), settings, LakeState(small.lake, settings).around("many")
    )
    assert [gate.name for gate in outcomes if not gate.passed] == ["enough_rows"]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"task": "own_problem"}, "mix.yaml:1: task: there is no dataset own_problem; did you mean own_problems"),
        ({"where": {"langage": "en"}}, "no column langage; did you mean language"),
        ({"where": {"mode": "few_shots"}}, "there is no mode few_shots; did you mean few_shot"),
        ({"least": {"problem": 3}}, "the column problem of own_problems holds no numbers"),
        ({"stratum": {"column": "persona_ids", "counts": {"a": 1}}}, "holds lists or structs"),
        ({"judge": {"criterion": "c", "least": 3}}, "name it in PERSONA_JUDGED"),
        ({"stratum": {"column": "language", "shares": {"en": 1.0}}}, "shares need a size"),
        ({"sise": 3}, "unknown key; did you mean size"),
    ],
)
def test_a_file_that_asks_for_what_is_not_there_is_named(
    small: Small, tmp_path: Path, told: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError) as error:
        assets(view(tmp_path, small.settings, **told))
    assert said in str(error.value)
    assert "mix.yaml:" in str(error.value)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"PERSONA_VIEWS: .*none is not a folder of views"):
        assets(Settings(views=str(tmp_path / "none")))


def test_values_and_numbers_select() -> None:
    rows = chosen(where={"language": ["en", "zh"]}, least={"votes": 4})
    assert set(rows["language"]) == {"en", "zh"}
    wanted = ROWS.filter(pl.col("language").is_in(["en", "zh"]), pl.col("votes") >= 4).collect()["sample_id"]
    assert sorted(rows["selected_id"]) == sorted(wanted)


def test_a_stratum_has_its_share() -> None:
    rows = chosen(stratum={"column": "language", "shares": {"en": 0.5, "zh": 0.3, "ru": 0.2}}, size=10)
    assert dict(rows.group_by("stratum").len().iter_rows()) == {"en": 5, "zh": 3, "ru": 2}


def test_a_stratum_without_rows_is_named() -> None:
    with pytest.raises(UsageError, match="has language 'de'"):
        chosen(stratum={"column": "language", "counts": {"en": 1, "de": 1}})


def test_no_row_at_all_is_an_error() -> None:
    with pytest.raises(UsageError, match="no row of t is as the view wants"):
        chosen(least={"votes": 9})


def test_only_calibrated_judges_count() -> None:
    scores = pl.LazyFrame(
        {
            "judged_id": ["smp_1", "smp_2", "smp_3", "smp_1"],
            "criterion": ["c", "c", "c", "other"],
            "standing": ["calibrated", "not calibrated", "calibrated", "calibrated"],
            "score": [5.0, 5.0, 2.0, 1.0],
        }
    )
    told = View.model_validate({"task": "t", "judge": {"criterion": "c", "least": 4}})
    assert selected(told, QUERY, ROWS, scores)["selected_id"].to_list() == ["smp_1"]


@given(st.permutations(range(40)), st.integers(1, 40), st.integers(0, 3))
def test_the_order_of_rows_decides_nothing_and_a_smaller_view_is_a_part(order: list[int], size: int, seed: int) -> None:
    wanted = View.model_validate({"task": "t", "size": size, "seed": seed})
    shuffled = ROWS.collect()[list(order)].lazy()
    rows = selected(wanted, QUERY, shuffled)["selected_id"].to_list()
    assert rows == selected(wanted, QUERY, ROWS)["selected_id"].to_list()
    assert len(rows) == size
    assert set(rows) <= set(chosen(size=40, seed=seed)["selected_id"])
