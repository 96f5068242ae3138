"""Attributes, skills and cards of personas: what is kept of an answer, and what is set aside."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.errors import UsageError
from persona_assets.lake import Lake
from persona_assets.lake.schemas import DEDUPED_PERSONAS, RAW_DOCUMENTS
from persona_assets.personas.given_names import is_given
from persona_assets.rules.known_people import CYRILLIC, LATIN
from persona_assets.rules.people import invented_name
from persona_assets.rules.sample import Sample
from persona_assets.rules.sample_texts import language_matches
from persona_assets.settings import Settings
from persona_assets.tasks.data_files import DataStep
from persona_assets.tasks.load import FILES, datasets
from persona_assets.tasks.step import TaskStep
from persona_assets.tasks.table import may_be_unknown
from persona_assets_tests.rows import context, document, persona, put
from persona_assets_tests.tasks.own import Run, answer_of, people, steps, task, write
from persona_assets_tests.tasks.people import LANGUAGES, SKILLS, samples
from persona_assets_tests.tasks.solving import bundled

FORM = {
    "field": "crafts",
    "skill_level": "expert",
    "region": "unknown",
    "age_band": "45_to_64",
    "register": "everyday",
    "education": "vocational",
    "mbti": "ISTP",
    "mbti_confidence": "low",
}
CARD = {
    "name": "Maren Quillfield",
    "biography": "She grew up above a closed cinema, moved twice before turning twenty and learned to mend nets.",
    "speech": "Short sentences and long pauses, with a smile at the end.",
    "preferences": "Likes early trains and black tea, and avoids large crowds.",
}


def with_skills(lake: Lake, settings: Settings | None = None) -> None:
    """Make the table of skills."""
    settings = settings or Settings()
    step = datasets(settings)["skills"]
    assert isinstance(step, DataStep)
    for key in step.look().sources:
        step.run(context(lake, settings), key)


def skilled(lake: Lake, *items: tuple[str, Any]) -> Run:
    """What becomes of an answer with these skills and scores."""
    people(lake, "a")
    with_skills(lake)
    told = [{"skill": skill, "evidence": "says so", "score": score} for skill, score in items]
    return Run(lake, bundled("persona_skills"), lambda _: json.dumps({"skills": told}))


def carded(lake: Lake, name: str, text: str = "A net mender by the sea", **values: Any) -> Run:
    """What becomes of a card with this name, of a persona with this text."""
    people(lake, "a", text=text, **values)
    return Run(lake, bundled("persona_cards"), lambda _: json.dumps(CARD | {"name": name}))


# Attributes


def test_a_form_of_values_from_the_lists_becomes_a_row(lake: Lake) -> None:
    people(lake, "a")
    run = Run(lake, bundled("persona_attributes"), lambda _: json.dumps(FORM))
    [row] = run.rows
    assert {name: row[name] for name in FORM} == FORM
    assert row["persona_ids"] == ["per_a"]
    assert run.report.calls_made == 1


@pytest.mark.parametrize("name", FORM)
def test_a_value_outside_its_list_is_set_aside(lake: Lake, name: str) -> None:
    people(lake, "a")
    run = Run(lake, bundled("persona_attributes"), lambda _: json.dumps(FORM | {name: "somewhat"}))
    assert run.rows == []
    [aside] = run.rejects
    assert (aside["row_id"], aside["reason"]) == ("per_a", "parse_failure")
    assert name in aside["detail"]


@pytest.mark.parametrize("name", FORM)
def test_everything_may_be_unknown(lake: Lake, name: str) -> None:
    people(lake, "a")
    run = Run(lake, bundled("persona_attributes"), lambda _: json.dumps(FORM | {name: "unknown"}))
    assert [row[name] for row in run.rows] == ["unknown"]


def test_the_prompt_names_every_value_that_the_schema_takes() -> None:
    template = bundled("persona_attributes").template
    system = template.render({"persona": "x", "language_name": "English"})[0]["content"]
    for name, part in template.response_schema["properties"].items():
        if name != "mbti":
            assert all(value in system for value in part["enum"]), name


@pytest.mark.parametrize("language", LANGUAGES)
def test_offline_attributes_follow_from_the_persona(language: str) -> None:
    answers = [answer for _, answer, _ in samples("persona_attributes", language)]
    for name, least in {"field": 15, "age_band": 5, "skill_level": 4, "education": 4, "region": 3, "mbti": 10}.items():
        found = [answer[name] for answer in answers]
        assert len(set(found)) >= least, name
        assert found.count("unknown") < 0.8 * len(found), name


def test_what_may_be_left_open_is_known_of_every_column() -> None:
    assert may_be_unknown(bundled("persona_attributes").template) == dict.fromkeys(FORM, "unknown")
    assert may_be_unknown(bundled("persona_skills").template) == {"score": None}
    assert may_be_unknown(bundled("instructions").template) == {}


# Skills


def test_each_skill_is_a_row_and_its_score_may_be_null(lake: Lake) -> None:
    run = skilled(lake, ("cooking", 80), ("teaching", None))
    assert [(row["skill"], row["score"]) for row in run.rows] == [("cooking", 80), ("teaching", None)]
    assert run.rejects == []
    assert len(run.rows[0]["listed_ids"]) == len(SKILLS)
    assert run.report.calls_made == 1


@pytest.mark.parametrize("score", [101, -1, 50.5, "high"])
def test_a_score_that_is_none_is_set_aside(lake: Lake, score: Any) -> None:
    run = skilled(lake, ("cooking", score))
    assert run.rows == []
    assert [aside["reason"] for aside in run.rejects] == ["parse_failure"]


def test_a_skill_that_is_not_on_the_list_is_set_aside_alone(lake: Lake) -> None:
    run = skilled(lake, ("cooking", 80), ("juggling", 99))
    assert [row["skill"] for row in run.rows] == ["cooking"]
    [aside] = run.rejects
    assert (aside["reason"], aside["detail"]) == ("one_of_shown", "skill 'juggling' is none of the 19 that were shown")


def test_a_skill_that_is_named_twice_counts_once(lake: Lake) -> None:
    run = skilled(lake, ("cooking", 80), ("cooking", 20))
    assert [(row["skill"], row["score"]) for row in run.rows] == [("cooking", 80)]
    assert [aside["reason"] for aside in run.rejects] == ["one_of_shown"]


def test_more_than_three_skills_are_no_answer(lake: Lake) -> None:
    run = skilled(lake, *((name, 50) for name in ("cooking", "teaching", "care", "music")))
    assert run.rows == []
    assert [aside["reason"] for aside in run.rejects] == ["parse_failure"]


def test_every_skill_has_its_anchors() -> None:
    assert 12 <= len(SKILLS) <= 20
    assert len({one["id"] for one in SKILLS}) == len(SKILLS)
    assert all(list(one) == ["id", "means", "at_50", "at_90"] and all(one.values()) for one in SKILLS)


def test_a_folder_of_ones_own_takes_the_place_of_the_skills(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "skills").mkdir()
    own = [{"id": "juggling", "means": "keeping balls in the air", "at_50": "three", "at_90": "seven"}]
    (tmp_path / "skills" / "circus.yaml").write_text(yaml.safe_dump(own), encoding="utf-8")
    settings = Settings(tasks=str(tmp_path))
    people(lake, "a")
    with_skills(lake, settings)
    step = datasets(settings)["persona_skills"]
    assert isinstance(step, TaskStep)
    told = {"skills": [{"skill": "juggling", "evidence": "seven balls", "score": 91}]}
    run = Run(lake, step, lambda _: json.dumps(told))
    assert [row["skill"] for row in run.rows] == ["juggling"]
    assert "- juggling: keeping balls in the air. 50: three. 90: seven." in run.prompts[0]


def test_a_rule_that_looks_at_rows_that_are_not_shown_is_told(tmp_path: Path) -> None:
    rule = {"rule": "one_of_shown", "args": {"field": "skill", "shown": "skils", "column": "id"}}
    own = task("own", "{{ persona }}", answer_of(skill="string"), validity=[rule])
    with pytest.raises(UsageError, match=r"own.yaml:\d+: validity.0.args.shown: no rows are shown as skils"):
        datasets(write(tmp_path, own))


@pytest.mark.parametrize("language", LANGUAGES)
def test_offline_skills_are_of_the_list_and_some_scores_are_left_open(language: str) -> None:
    rows = [row for _, _, parsed in samples("persona_skills", language) for row in parsed.rows]
    assert len({row["skill"] for row in rows}) > 12
    assert {type(row["score"]) for row in rows} == {int, type(None)}
    assert len({row["score"] for row in rows}) > 30


# Cards


def test_a_card_with_an_invented_name_is_kept(lake: Lake) -> None:
    run = carded(lake, "Maren Quillfield")
    assert [row["name"] for row in run.rows] == ["Maren Quillfield"]


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("Albert Einstein", "Albert Einstein"),
        ("Curie, Marie", "Marie Curie"),
        ("EINSTEIN", "Albert Einstein"),
        ("Martin Luther King Jr.", "Martin Luther King"),
        ("Beyoncé", "Beyonce"),
        ("Лев Николаевич Толстой", "Лев Толстой"),
        ("Королев Сергей", "Сергей Королёв"),
        ("姚明", "姚明"),
        ("阿尔伯特 爱因斯坦", "阿尔伯特 爱因斯坦"),
    ],
)
def test_a_name_that_many_know_is_set_aside(lake: Lake, name: str, known: str) -> None:
    run = carded(lake, name)
    assert run.rows == []
    [aside] = run.rejects
    assert (aside["reason"], aside["detail"]) == ("invented_name", f"name: {known} is known to many")
    assert run.report.calls_made == 2  # it was shown the reason once


@given(st.sampled_from([line for line in (LATIN + CYRILLIC).splitlines() if line]), st.randoms(), st.booleans())
def test_every_name_of_the_list_is_known_in_any_order_and_case(name: str, random: Random, is_loud: bool) -> None:
    words = name.split()
    random.shuffle(words)
    told = " ".join(words)
    sample = Sample({"name": told.upper() if is_loud else told}, "", "en")
    assert str(invented_name.see(sample, "name")).endswith("is known to many")


@given(st.text(max_size=40), st.text(max_size=200))
def test_no_name_or_page_stops_the_rule(name: str, page: str) -> None:
    sample = Sample({"name": name}, page, "en", {"raw_documents": {"text": page}})
    found = invented_name.see(sample, "name", "raw_documents.text")
    assert found is None or found.startswith("name: ")


@pytest.mark.parametrize("name", ["Marie Lowmarsh", "Albert", "Лев Заречин", "姚明远", "John Michelangelson"])
def test_a_name_that_shares_a_part_with_a_known_one_may_stay(lake: Lake, name: str) -> None:
    assert [row["name"] for row in carded(lake, name).rows] == [name]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Anna Harbeck", "A reader of the letters of Otto Harbeck"),
        ("Анна Вербникова", "Читательница писем Ивана Вербникова"),
        ("林秋禾", "一名读者，爱读林秋禾的信"),
    ],
)
def test_a_family_name_of_the_text_is_set_aside(lake: Lake, name: str, text: str) -> None:
    run = carded(lake, name, text)
    assert run.rows == []
    [aside] = run.rejects
    assert aside["reason"] == "invented_name"
    assert aside["detail"].endswith("stands in the text that the persona came from")


def test_a_name_of_the_page_is_set_aside(lake: Lake) -> None:
    put(lake, RAW_DOCUMENTS, document("a", text="The nets were first mended by Jonas Quillfield in 1901."))
    put(lake, DEDUPED_PERSONAS, persona("a", "a"))
    run = Run(lake, bundled("persona_cards"), lambda _: json.dumps(CARD))
    assert [aside["detail"] for aside in run.rejects] == [
        "name: Quillfield stands in the text that the persona came from"
    ]


def test_words_in_small_letters_are_no_names(lake: Lake) -> None:
    assert carded(lake, "Anna Stone", "A mason who cuts stone by hand").rows


def test_a_card_in_another_language_is_set_aside(lake: Lake) -> None:
    run = carded(lake, "Maren Quillfield", language="ru")
    assert [aside["reason"] for aside in run.rejects] == ["language_matches"]


@pytest.mark.parametrize("source", ["raw_documents.txt", "pages.text"])
def test_a_source_that_is_not_there_is_told(tmp_path: Path, source: str) -> None:
    rule = {"rule": "invented_name", "args": {"field": "name", "source": source}}
    own = task("own", "{{ persona }}", answer_of(name="string"), validity=[rule])
    with pytest.raises(UsageError, match=r"own.yaml:\d+: validity.0.args.source: "):
        steps(tmp_path, own)


@pytest.mark.parametrize("language", LANGUAGES)
def test_offline_cards_are_of_the_personas_language_with_given_names_of_the_lists(language: str) -> None:
    for _, answer, _ in samples("persona_cards", language):
        assert language_matches(Sample(answer, "", language), language) is None
        if language != "zh":
            assert is_given(answer["name"].split()[0]), answer["name"]


def test_none_of_them_is_made_where_nothing_is_said() -> None:
    assert not {"persona_attributes", "persona_skills", "persona_cards"} & set(Settings().datasets)
    assert {"persona_attributes.yaml", "persona_skills.yaml", "persona_cards.yaml"} <= {
        path.name for path in FILES.glob("*.yaml")
    }
