"""Types of personas, and what those answer who have one."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.lineage import Status, audit
from persona_assets.settings import Settings
from persona_assets.tasks.derived import DerivedStep
from persona_assets.tasks.load import FILES, datasets
from persona_assets.tasks.step import TaskStep
from persona_assets_tests.plan.work import Work

POLES: list[dict[str, Any]] = yaml.safe_load((FILES / "mindset" / "mbti.yaml").read_text(encoding="utf-8"))["poles"]
TYPES = {e + s + t + j for e in "EI" for s in "SN" for t in "TF" for j in "JP"}
SHARD = "d.0000"


def poles(*lacking: str) -> pl.DataFrame:
    """The bundled ones, without their manners in some languages."""
    told = [{name: pole[name] for name in ("id", "set", "dimension", "opposite")} for pole in POLES]
    manners = [{key: None if key in lacking else text for key, text in pole["manner"].items()} for pole in POLES]
    same = {"file": "mbti.yaml"}
    return pl.DataFrame(
        [{**one, **same, "place": at, "manner": manners[at]} for at, one in enumerate(told)],
        schema_overrides={"manner": pl.Struct(dict.fromkeys(("en", "zh", "ru"), pl.String))},
    )


def typed(
    *texts: str, guesses: tuple[tuple[str, str], ...] = (), language: str = "en", of: pl.DataFrame | None = None
) -> list[dict[str, Any]]:
    """The rows of personas with these texts; `guesses` are types with confidences, of the first of them."""
    people = [{"persona_id": f"per_{at}", "language": language, "text": text} for at, text in enumerate(texts)]
    told = [
        {"sample_id": f"smp_{at}", "persona_ids": [f"per_{at}"], "mbti": name, "mbti_confidence": confidence}
        for at, (name, confidence) in enumerate(guesses)
    ]
    schema = {
        "sample_id": pl.String,
        "persona_ids": pl.List(pl.String),
        "mbti": pl.String,
        "mbti_confidence": pl.String,
    }
    step = datasets(Settings())["persona_types"]
    assert isinstance(step, DerivedStep)
    known = poles() if of is None else of
    found = step.declared.function(pl.LazyFrame(people), pl.LazyFrame(told, schema=schema), known.lazy())
    assert isinstance(found, pl.DataFrame)
    return found.to_dicts()


# Types


@pytest.mark.parametrize(
    "text",
    ["A baker who calls herself an INTJ", "An INTJ-A who bakes", "自称INTJ的面包师", "Пекарь, по тесту INTJ"],
)
def test_a_type_that_the_text_names_is_stated(text: str) -> None:
    [row] = typed(text, guesses=(("ESFP", "high"),))
    assert (row["type"], row["source"], row["poles"]) == ("INTJ", "stated", [*"INTJ"])
    assert row["attributes_id"] is None


@pytest.mark.parametrize(
    "text", ["A baker who knows INTJs", "A baker of intj bread", "A teacher of INTJ and ENFP pupils", "An XNTP baker"]
)
def test_what_names_no_one_type_states_none(text: str) -> None:
    [row] = typed(text)
    assert row["source"] == "given"


@pytest.mark.parametrize("confidence, source", [("high", "inferred"), ("medium", "inferred"), ("low", "given")])
def test_a_guess_counts_from_a_confidence_on(confidence: str, source: str) -> None:
    [row] = typed("A baker", guesses=(("INTP", confidence),))
    assert row["source"] == source
    assert row["attributes_id"] == ("smp_0" if source == "inferred" else None)
    assert (row["type"] == "INTP") == (source == "inferred")


def test_a_type_that_is_unknown_is_given() -> None:
    [row] = typed("A baker", guesses=(("unknown", "high"),))
    assert row["source"] == "given"


def test_types_are_given_alike() -> None:
    counts = Counter(row["type"] for row in typed(*["A baker"] * 3200))
    assert set(counts) == TYPES
    assert 140 < min(counts.values()) <= max(counts.values()) < 260  # 200 of each, four standard deviations


@given(st.lists(st.sampled_from(["A baker", "An ENFP baker", "An ENFP and an ISTJ"]), min_size=1, max_size=20))
def test_a_persona_has_one_type_whoever_stands_beside_it(texts: list[str]) -> None:
    found = {row["parent_ids"][0]: row for row in typed(*texts)}
    assert len(found) == len(texts)
    [alone] = typed(texts[0])
    assert found["per_0"] == alone


def test_a_persona_in_whose_language_a_manner_is_lacking_is_set_aside() -> None:
    [row] = typed("Пекарь", language="ru", of=poles("ru"))
    assert (row["reason"], row["detail"]) == ("no_type", "no type has all its manners in ru")


def test_where_no_set_makes_types_every_persona_is_set_aside() -> None:
    levels = poles().with_columns(opposite=pl.lit(None, pl.String))
    assert [row["reason"] for row in typed("A baker", "A cook", of=levels)] == ["no_type"] * 2


def test_two_sets_give_two_types() -> None:
    voice = poles().filter(pl.col("dimension") == "energy").with_columns(set=pl.lit("voice"), file=pl.lit("voice.yaml"))
    voice = voice.with_columns(id=pl.col("id").replace_strict({"E": "plain", "I": "playful"}))
    found = typed("An INTJ of plain habits", of=pl.concat([poles(), voice]))
    assert {row["dimension_set"]: row["source"] for row in found} == {"mbti": "stated", "voice": "given"}


# Behaviour


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    folder = tmp_path_factory.mktemp("types")
    (folder / "tasks" / "seeds").mkdir(parents=True)
    seeds = [{"instruction": text} for text in ("Describe the harbour early in the morning.", "Plan a quiet evening.")]
    (folder / "tasks" / "seeds" / "own.json").write_text(json.dumps(seeds), encoding="utf-8")
    values = {"lake": str(folder / "lake"), "dumps": str(folder / "dumps"), "tasks": str(folder / "tasks")}
    settings = Settings(**values, datasets=("persona_behaviour",), settle_s=0, hops=0, fanout=(1,))
    work = Work(folder, settings)
    work.drop("d", "a.jsonl", 0, 2)
    work.run()
    return work


def rows(work: Work, asset: str, key: str = SHARD) -> pl.DataFrame:
    return work.lake.read(datasets(work.settings)[asset].table, key)


def test_each_persona_with_a_type_answers_one_instruction_in_its_language(work: Work) -> None:
    types, answers = rows(work, "persona_types"), rows(work, "persona_behaviour")
    assert types.height > 2
    assert sorted(answers["parent_ids"].list.first()) == sorted(types["sample_id"])
    assert set(answers["seeds_ids"].list.len()) == {1}
    assert answers["seeds_ids"].explode().is_in(rows(work, "instruction_seeds", "own")["sample_id"].implode()).all()


def test_a_prompt_tells_persona_manner_and_request_and_names_no_type(work: Work) -> None:
    step = datasets(work.settings)["persona_behaviour"]
    assert isinstance(step, TaskStep)
    types = {row["sample_id"]: row for row in rows(work, "persona_types").to_dicts()}
    personas = {
        row["persona_id"]: row["text"] for row in work.lake.read(step._tables["deduped_personas"], SHARD).to_dicts()
    }
    told = {pole["id"]: pole["manner"]["en"] for pole in POLES}
    for ask in step.asks(work.lake, SHARD):
        row = types[ask.about[0][1]]
        asked = step.template.render(step.variables(ask))[1]["content"]
        assert personas[row["persona_ids"][0]] in asked
        assert {pole for pole, text in told.items() if text in asked} == set(row["poles"])
        assert sum(seed in asked for seed in rows(work, "instruction_seeds", "own")["instruction"]) == 1
        assert row["type"] not in asked


def test_a_row_verifies_down_to_its_page_its_seed_and_its_poles(work: Work) -> None:
    found = audit(work.lake, work.settings, rows(work, "persona_behaviour")["sample_id"][0])
    assert {one.status for one in found.verifications} == {Status.OK}
    kinds = Counter(node.kind for node in found.nodes())
    assert kinds["data_file"] >= 2
    assert {"document", "persona"} <= set(kinds)


def test_personas_of_a_language_without_seeds_are_not_asked(tmp_path: Path, work: Work) -> None:
    folder = tmp_path / "tasks" / "seeds"
    folder.mkdir(parents=True)
    (folder / "own.json").write_text(json.dumps([{"instruction": "怎样安排一次全家人的周末郊游？"}]), encoding="utf-8")
    other = work.having(tasks=str(tmp_path / "tasks"), lake=str(tmp_path / "lake"))
    other.run()
    assert rows(other, "persona_behaviour").height == 0
    aside = other.lake.rejects(datasets(other.settings)["persona_behaviour"].table, SHARD).collect()
    assert set(aside["reason"]) == {"not_selected"}
