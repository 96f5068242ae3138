"""Problems on topics: several for each persona, several personas for each topic, and those that differ."""

from collections import Counter
from typing import Any

import pytest

from persona_assets.lake import Lake
from persona_assets.lake.schemas import DEDUPED_PERSONAS, RAW_DOCUMENTS
from persona_assets.settings import Settings
from persona_assets.steps.runner import Ask
from persona_assets.tasks.run import run_task
from persona_assets_tests.rows import SHARD, context, document, persona, put
from persona_assets_tests.tasks.solving import bundled
from persona_assets_tests.tasks.voting import TABLES, computed, failing, row

BAKER = "A baker sells {} loaves of rye bread at {} dollars each on Saturday. How much does she take in?"
TRAINS = "Two trains leave the stations of two towns at noon, {} km apart, at {} km/h each. When do they meet?"


def distinct(lake: Lake, *problems: tuple[str, str, str], **settings: Any) -> dict[str, dict[str, Any]]:
    """What is kept of problems (persona, topic, text), by id; they are numbered."""
    put(lake, RAW_DOCUMENTS, document("a"))
    put(lake, DEDUPED_PERSONAS, *(persona(name, "a") for name in dict.fromkeys(one for one, _, _ in problems)))
    rows = [
        row(
            "topic_problems",
            str(number),
            persona_ids=[f"per_{name}"],
            topic=topic,
            problem=text,
            question_id=str(number),
        )
        for number, (name, topic, text) in enumerate(problems)
    ]
    put(lake, TABLES["topic_problems"], *rows)
    computed("distinct_topic_problems").run(context(lake, Settings(**settings)), SHARD)
    kept = lake.read(TABLES["distinct_topic_problems"], SHARD).to_dicts()
    return {one["parent_ids"][0]: one for one in kept}


def test_a_problem_that_repeats_an_earlier_one_of_its_persona_is_set_aside(lake: Lake) -> None:
    told = [
        ("a", "cooking", BAKER.format(12, 3)),
        ("a", "savings", BAKER.format(40, 5)),
        ("a", "travel", TRAINS.format(9, 3)),
    ]
    kept = distinct(lake, *told)
    assert {name: one["similarity"] for name, one in kept.items()} == {"smp_0": 0.0, "smp_2": 0.0}
    [aside] = lake.rejects(TABLES["distinct_topic_problems"], SHARD).collect().to_dicts()
    assert (aside["row_id"], aside["reason"], aside["detail"]) == ("smp_1", "too_similar", "1.0 to smp_0")
    assert failing(lake, "distinct_topic_problems") == {}


def test_other_personas_may_have_the_same_problem(lake: Lake) -> None:
    assert len(distinct(lake, ("a", "cooking", BAKER.format(1, 2)), ("b", "cooking", BAKER.format(3, 4)))) == 2


def test_the_ceiling_is_a_setting(lake: Lake) -> None:
    told = [("a", "cooking", BAKER.format(12, 3)), ("a", "savings", BAKER.format(40, 5))]
    assert len(distinct(lake, *told, max_problem_similarity=1.0)) == 2


def test_an_empty_partition_has_none(lake: Lake) -> None:
    assert distinct(lake) == {}


def test_long_texts_are_compared_like_others(lake: Lake) -> None:
    long = " ".join(f"word{number}" for number in range(500))
    assert len(distinct(lake, ("a", "x", long), ("a", "y", long[::-1]), ("a", "z", long + " more"))) == 2


def test_every_persona_is_asked_on_two_topics_and_every_topic_of_several_personas(lake: Lake) -> None:
    names = [str(number) for number in range(30)]
    put(lake, RAW_DOCUMENTS, *map(document, names))
    people = (persona(name, name, text="A baker of sourdough bread who likes old maps") for name in names)
    put(lake, DEDUPED_PERSONAS, *people)
    run_task(context(lake, Settings()), bundled("topic_problems"), SHARD)
    rows = lake.read(TABLES["topic_problems"], SHARD).to_dicts()
    assert set(Counter(one["persona_ids"][0] for one in rows).values()) == {2}
    assert all(len({one["topic"] for one in rows if one["persona_ids"] == [f"per_{name}"]}) == 2 for name in names)
    computed("distinct_topic_problems").run(context(lake, Settings()), SHARD)
    assert failing(lake, "distinct_topic_problems") == {}
    kept = lake.read(TABLES["distinct_topic_problems"], SHARD).height
    assert 30 <= kept <= 60


@pytest.mark.parametrize("language", ["en", "zh", "ru"])
def test_a_topic_is_named_in_the_language_of_the_persona(language: str) -> None:
    step = bundled("topic_problems")
    topics = step.template.over["topic"].by_label
    for label, topic in topics.items():
        assert isinstance(topic, dict)
        assert set(topic) >= {"id", "en", "zh", "ru"}
        told = {"persona_id": "per_1", "document_id": "doc_1", "text": "A nurse", "language": language}
        shown = step.template.render(step.variables(Ask(told, {"over": {"topic": label}})))
        assert f"<topic>{topic[language]}</topic>" in shown[1]["content"]
