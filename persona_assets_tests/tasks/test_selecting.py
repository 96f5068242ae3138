"""Tasks that ask about what a view selects, and views of the best in a skill: what is asked, planned and traced."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.engines.offline import OfflineEngine
from persona_assets.errors import UsageError
from persona_assets.graph import assets, stages
from persona_assets.lake import Lake
from persona_assets.lineage import Status, audit
from persona_assets.making import make
from persona_assets.settings import Settings
from persona_assets.state import LakeState
from persona_assets.steps.model import Context, Report
from persona_assets.tasks.load import load_tasks
from persona_assets.tasks.views import View, selected
from persona_assets_tests.lineage.small_lake import SHARD, Small, build
from persona_assets_tests.tasks.own import Task, answer_of, listed, task, write
from persona_assets_tests.tasks.test_views import QUERY, view

PERSONA = "<language>{{ language_name }}</language><persona>{{ persona }}</persona>"
SCORES = {
    "sample_id": [f"smp_{number:03}" for number in range(300)],
    "persona_ids": [[f"per_{number // 2}"] for number in range(300)],
    "shard": ["d.0000"] * 300,
    "language": ["en", "zh", "en"] * 100,
    "skill": ["cooking"] * 297 + ["music"] * 3,
    "score": [None if number % 7 == 0 else number % 90 for number in range(297)] + [None, None, 5],
}


def best(rows: pl.LazyFrame | None = None, **top: Any) -> pl.DataFrame:
    """What a view of the best selects."""
    told = View.model_validate({"task": "t", "top": {"column": "score", "by": ["skill", "language"], **top}})
    return selected(told, QUERY, pl.LazyFrame(SCORES) if rows is None else rows)


def made(settings: Settings, *names: str) -> dict[str, Report]:
    """Make these assets in this order, all partitions; what was done."""
    lake, done = Lake(settings.lake), dict[str, Report]()
    for name in names:
        state = LakeState(lake, settings)
        for key in state.keys(name):
            context = Context(lake, settings, OfflineEngine(settings), "s", keeper=LakeState(lake, settings))
            for found in make(context, state, state.assets[name], key, again=True):
                if found.report:
                    done[name] = found.report
    return done


def rows_of(settings: Settings, name: str) -> pl.DataFrame:
    """All rows of an asset."""
    return Lake(settings.lake).scan(assets(settings)[name].table).collect()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """A lake with attributes and skills of its personas."""
    found = build(tmp_path_factory.mktemp("selecting"))
    made(found.settings, "skills", "persona_attributes", "persona_skills")
    return found


def by_field(small: Small, tmp_path: Path, **told: Any) -> Settings:
    """Settings with a view `by_field` of the attributes that takes one persona of the first field that there is."""
    fields = rows_of(small.settings, "persona_attributes")["field"].sort()
    wanted = told or {"stratum": {"column": "field", "counts": {fields[0]: 1}}}
    return view(tmp_path, small.settings, "by_field", task="persona_attributes", **wanted)


# The best in a skill


def test_the_top_of_each_skill_and_language_is_selected() -> None:
    rows = best(share=0.01).join(pl.DataFrame(SCORES), left_on="selected_id", right_on="sample_id")
    counted = (
        pl.DataFrame(SCORES).drop_nulls("score").group_by("skill", "language").agg(pl.len(), pl.col("score").max())
    )
    for skill, language, count, most in counted.iter_rows():
        found = rows.filter(pl.col("skill") == skill, pl.col("language") == language)
        assert found.height == max(1, count // 100)
        assert found["score"].max() == most


def test_what_the_best_have_to_reach_does_not_change_who_they_are() -> None:
    least = min(one for one in SCORES["score"] if one is not None) + 60
    told = {"task": "t", "top": {"column": "score", "share": 0.1, "by": ["skill"]}, "least": {"score": least}}
    held = selected(View.model_validate(told), QUERY, pl.LazyFrame(SCORES))["selected_id"]
    all_of_them = best(share=0.1, by=["skill"]).join(pl.DataFrame(SCORES), left_on="selected_id", right_on="sample_id")
    assert sorted(held) == sorted(all_of_them.filter(pl.col("score") >= least)["selected_id"])
    assert 0 < len(held) < all_of_them.height


def test_a_hundredth_is_taken_where_nothing_is_said() -> None:
    assert best()["selected_id"].to_list() == best(share=0.01)["selected_id"].to_list()


def test_of_equal_scores_the_lower_ids_are_taken() -> None:
    equal = pl.LazyFrame(SCORES | {"score": [50] * 300, "skill": ["cooking"] * 300, "language": ["en"] * 300})
    assert sorted(best(equal, share=0.02)["selected_id"]) == [f"smp_{number:03}" for number in range(6)]


def test_no_row_without_a_score_counts() -> None:
    rows = best(share=1.0)
    scored = pl.DataFrame(SCORES).drop_nulls("score")
    assert sorted(rows["selected_id"]) == sorted(scored["sample_id"])
    with pytest.raises(UsageError, match="no row of t is as the view wants"):
        best(pl.LazyFrame(SCORES).with_columns(score=pl.lit(None, pl.Int64)))


def test_the_personas_of_what_is_selected_are_named() -> None:
    rows = best(share=0.01)
    numbers = [int(one.removeprefix("smp_")) for one in rows["selected_id"]]
    assert rows["selected_persona_ids"].to_list() == [[f"per_{number // 2}"] for number in numbers]


@pytest.mark.parametrize(("share", "rows", "wanted"), [(0.29, 100, 29), (0.01, 99, 1), (0.01, 199, 1), (0.01, 200, 2)])
def test_a_share_is_rounded_down_and_is_one_at_least(share: float, rows: int, wanted: int) -> None:
    told = pl.LazyFrame({name: (values * 2)[:rows] for name, values in SCORES.items()}).with_columns(
        score=pl.int_range(rows), skill=pl.lit("a"), language=pl.lit("en")
    )
    assert best(told, share=share).height == wanted


@given(st.permutations(range(60)), st.floats(0.01, 1))
def test_the_order_of_rows_decides_nothing_and_a_larger_share_holds_a_smaller(order: list[int], share: float) -> None:
    some = pl.DataFrame(SCORES).head(60)
    rows = set(best(some[list(order)].lazy(), share=share)["selected_id"])
    assert rows == set(best(some.lazy(), share=share)["selected_id"])
    assert set(best(some.lazy(), share=share / 2)["selected_id"]) <= rows


@pytest.mark.parametrize(
    ("top", "said"),
    [
        ({"column": "scor"}, "top.column: persona_skills has no column scor; did you mean score"),
        ({"column": "skill"}, "top.column: the column skill of persona_skills holds no numbers"),
        ({"column": "score", "by": ["skil"]}, "top.by: persona_skills has no column skil; did you mean skill"),
        ({"column": "score", "by": ["persona_ids"]}, "top.by: the column persona_ids of persona_skills holds lists"),
        ({"column": "score", "share": 0}, "top.share: "),
        ({"column": "score", "of": "x"}, "unknown key; "),
    ],
)
def test_a_wrong_top_is_named(tmp_path: Path, top: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as error:
        assets(view(tmp_path, Settings(), "elite", task="persona_skills", top=top))
    assert said in str(error.value)
    assert "elite.yaml:" in str(error.value)


def test_one_of_the_best_is_traced_to_the_crawl(small: Small, tmp_path: Path) -> None:
    top = {"column": "score", "by": ["skill", "language"]}
    settings = view(tmp_path, small.settings, "elite", task="persona_skills", top=top)
    made(settings, "elite_query", "elite")
    rows = rows_of(settings, "elite")
    scored = rows_of(settings, "persona_skills").drop_nulls("score")
    assert rows.height == scored.select("skill", "language").n_unique()
    found = audit(Lake(settings.lake), settings, rows["sample_id"][0])
    assert {one.status for one in found.verifications} == {Status.OK}
    assert {"crawl_record", "document", "persona"} <= {node.kind for node in found.nodes()}


@pytest.mark.parametrize("name", ["persona_attributes", "persona_skills"])
def test_a_row_about_a_persona_is_traced_to_the_crawl(small: Small, name: str) -> None:
    found = audit(small.lake, small.settings, rows_of(small.settings, name)["sample_id"][0])
    assert {one.status for one in found.verifications} == {Status.OK}
    assert {"crawl_record", "document", "persona"} <= {node.kind for node in found.nodes()}


def test_a_card_is_traced_to_the_crawl(small: Small) -> None:
    made(small.settings, "persona_cards")
    found = audit(small.lake, small.settings, rows_of(small.settings, "persona_cards")["sample_id"][0])
    assert {one.status for one in found.verifications} == {Status.OK}


# Tasks that select


def test_a_task_asks_about_the_personas_that_a_view_selects(small: Small, tmp_path: Path) -> None:
    settings = by_field(small, tmp_path).model_copy(update={"selected": {"instructions": "by_field"}})
    done = made(settings, "by_field_query", "by_field", "instructions")
    [chosen] = rows_of(settings, "by_field").to_dicts()
    [row] = rows_of(settings, "instructions").to_dicts()
    assert row["persona_ids"] == chosen["selected_persona_ids"]
    assert row["selected_ids"] == [chosen["sample_id"]]
    personas = small.lake.row_count(assets(settings)["deduped_personas"].table, SHARD)
    assert done["instructions"].rejected == {"not_selected": personas - 1}
    assert done["instructions"].calls_made == 1
    found = audit(Lake(settings.lake), settings, row["sample_id"])
    assert {one.status for one in found.verifications} == {Status.OK}
    assert {node.id for node in found.nodes()} >= {chosen["sample_id"], chosen["selected_id"]}


def test_a_task_of_a_task_asks_about_rows_of_the_selected_personas(small: Small, tmp_path: Path) -> None:
    settings = by_field(small, tmp_path, where={}).model_copy(update={"selected": {"reviews": "by_field"}})
    settings = with_task(settings, tmp_path, task("reviews", PERSONA, answer_of(say="string"), reads="own_problems"))
    made(settings, "by_field_query", "by_field", "reviews")
    assert rows_of(settings, "reviews").height == rows_of(settings, "own_problems").height


def test_a_task_may_be_asked_about_the_very_rows_of_the_view(small: Small, tmp_path: Path) -> None:
    settings = view(tmp_path, small.settings, "one", task="own_problems", size=1)
    told = task("reviews", PERSONA, answer_of(say="string"), reads="own_problems", select="one")
    settings = with_task(settings, tmp_path, told)
    made(settings, "one_query", "one", "reviews")
    [row] = rows_of(settings, "reviews").to_dicts()
    assert row["parent_ids"] == rows_of(settings, "one")["selected_id"].to_list()


def test_groups_are_made_of_what_is_selected(small: Small, tmp_path: Path) -> None:
    settings = view(tmp_path, small.settings, "two", task="persona_attributes", size=2)
    prompt = "<persona>{% for one in rows %}{{ one.text }}{% endfor %}</persona>"
    group = {"by": ["language"], "take": 5}
    settings = with_task(settings, tmp_path, task("pairs", prompt, answer_of(say="string"), group=group, select="two"))
    made(settings, "two_query", "two", "pairs")
    chosen = rows_of(settings, "two")["selected_persona_ids"].explode()
    assert sorted(rows_of(settings, "pairs")["persona_ids"].explode()) == sorted(chosen)


def with_task(settings: Settings, tmp_path: Path, told: Task) -> Settings:
    """The same with a further task of one's own."""
    folder = tmp_path / "tasks"
    folder.mkdir(exist_ok=True)
    for path in Path(str(settings.tasks)).glob("*.yaml"):
        (folder / path.name).write_bytes(path.read_bytes())
    write(folder, told)
    return settings.model_copy(update={"tasks": str(folder)})


def test_the_setting_counts_before_the_file(tmp_path: Path) -> None:
    view(tmp_path, Settings(), "few", task="persona_attributes", size=1)
    settings = view(tmp_path, Settings(), "many", task="persona_attributes", size=9)
    own = write(tmp_path / "tasks", task("own", PERSONA, answer_of(say="string"), select="few"))
    settings = settings.model_copy(update={"tasks": own.tasks})
    assert load_tasks(settings)["own"].with_["selected"].from_.name == "few"
    settings = settings.model_copy(update={"selected": {"own": "many"}})
    assert load_tasks(settings)["own"].with_["selected"].from_.name == "many"


def test_a_task_that_selects_comes_after_its_view_and_what_that_is_of(tmp_path: Path) -> None:
    settings = view(tmp_path, Settings(), "few", task="persona_attributes", size=1)
    settings = settings.model_copy(update={"selected": {"instructions": "few"}})
    order = list(stages(assets(settings)).values())
    places = [next(at for at, members in enumerate(order) if name in members) for name in _WAY]
    assert places == sorted(places)
    assert len(set(places)) == len(places)


_WAY: Sequence[str] = ("persona_attributes", "few", "instructions")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"instructions": "by_feld"}, "PERSONA_SELECTED: instructions: there is no view by_feld in PERSONA_VIEWS"),
        ({"instruction": "few"}, "PERSONA_SELECTED: task instruction is unknown"),
        ({"persona_attributes": "few"}, "they read one another"),
        ({"key_points": "few"}, "raw_documents has no column 'persona_ids'"),
    ],
)
def test_what_cannot_be_selected_is_told(tmp_path: Path, values: dict[str, str], said: str) -> None:
    settings = view(tmp_path, Settings(), "few", task="persona_attributes", size=1)
    with pytest.raises(UsageError, match=said.replace("(", r"\(")):
        assets(settings.model_copy(update={"selected": values}))


def test_a_file_that_selects_by_what_is_no_view_is_named(tmp_path: Path) -> None:
    own = task("own", PERSONA, answer_of(say="string"), select="few")
    with pytest.raises(UsageError, match=r"own.yaml:\d+: select: there is no view few in PERSONA_VIEWS"):
        assets(write(tmp_path / "tasks", own))


def test_rows_beside_cannot_be_called_selected(tmp_path: Path) -> None:
    settings = view(tmp_path, Settings(), "few", task="persona_attributes", size=1)
    beside = {"selected": {"from": "instructions", "on": {"persona_id": "persona_ids"}}}
    own = task("own", PERSONA, answer_of(says=listed(say="string")), select="few", **{"with": beside})
    settings = settings.model_copy(update={"tasks": write(tmp_path / "tasks", own).tasks})
    with pytest.raises(UsageError, match=r"own.yaml:\d+: with.selected: .* name it otherwise"):
        assets(settings)


def test_nothing_is_asked_where_the_view_has_too_few(small: Small, tmp_path: Path) -> None:
    settings = view(tmp_path, small.settings, "many", task="persona_attributes", size=10_000)
    settings = settings.model_copy(update={"selected": {"logic_problems": "many"}})
    made(settings, "many_query", "many")
    state = LakeState(Lake(settings.lake), settings)
    assert state.of("many", "many").why == "gates not passed: enough_rows"
    standing = state.of("logic_problems", SHARD)
    assert (str(standing.state), standing.behind) == ("waiting", (("many", "many"),))


def test_a_stratum_that_nobody_is_in_is_named(small: Small, tmp_path: Path) -> None:
    told = {"column": "region", "counts": {"atlantis": 5}}
    settings = view(tmp_path, small.settings, "lost", task="persona_attributes", stratum=told)
    with pytest.raises(UsageError, match="no row that the view wants has region 'atlantis': leave it out"):
        made(settings, "lost_query", "lost")
