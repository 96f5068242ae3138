from typing import Any

import pytest

from persona_assets.engines.offline.phrasing import Draws, Phrasing, choose, phrase, phrasing_of
from persona_assets.errors import UsageError
from persona_assets.prompts import Template
from persona_assets_tests.engines.asking import answers

SCHEMA = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "count": {"type": "integer"},
        "share": {"type": ["number", "null"]},
        "done": {"type": "boolean"},
        "rest": {},
    },
}


def template(variant: dict[str, Any], **block: Any) -> Template:
    return Template.model_validate(
        {
            "name": "tried",
            "version": 1,
            "title": "T",
            "description": "D",
            "messages": [{"role": "user", "content": "<kind>{{ kind }}</kind>\n<persona>\n{{ persona }}\n</persona>"}],
            "response_schema": SCHEMA,
            "offline": {"variants": {"en": [variant]}} | block,
        }
    )


def answer(variant: dict[str, Any], **block: Any) -> Any:
    variables = {"persona": "A nurse who checks fever charts", "kind": "odd"}
    return answers(template(variant, **block), [variables])[0]


def test_numbers_are_drawn_from_their_progression_and_expressions_follow_in_order() -> None:
    found = answer({"let": {"a": [10, 50, 20], "b": "a + 1"}, "answer": {"text": "{{ a }} {{ b }}"}})
    a, b = map(int, found["text"].split())
    assert a in (10, 30, 50)
    assert b == a + 1


def test_strings_are_cast_to_the_type_of_the_schema() -> None:
    variant = {
        "answer": {"count": "{{ 2 + 3 }}", "share": "{{ 1 / 4 }}", "done": "{{ 'true' }}", "rest": [1, "{{ 2 }}"]}
    }
    assert answer(variant) == {"count": 5, "share": 0.25, "done": True, "rest": [1, "2"]}


def test_null_stays_null() -> None:
    assert answer({"answer": {"share": None}}) == {"share": None}


def test_plain_sections_can_be_used_and_decide_which_variants_fit() -> None:
    odd = {"when": {"kind": ["odd"]}, "answer": {"text": "kind is {{ kind }}"}}
    even = {"when": {"kind": ["even"]}, "answer": {"text": "wrong"}}
    assert answer(odd, variants={"en": [even, odd]}) == {"text": "kind is odd"}


def test_the_text_that_a_question_is_about_cannot_be_used() -> None:
    with pytest.raises(UsageError, match="undefined"):
        answer({"answer": {"text": "{{ persona }}"}})


def test_rows_of_a_table_are_phrases_too_and_people_can_be_drawn() -> None:
    variant = {
        "let": {"tie": "row('ties', kind)", "who": "someone(tie.who)"},
        "answer": {"text": "{{ who.indef | cap }} {{ tie.en | filled }}"},
    }
    tables = {"ties": {"default": {"who": ["nurse", "cook"], "en": "near {{ person.indef }}"}}}
    assert answer(variant, tables=tables) == {"text": "A cook near a nurse"}


def test_topics_of_the_text_come_first() -> None:
    assert answer({"answer": {"text": "{{ t1 }}"}}) == {"text": "fever charts"}


@pytest.mark.parametrize(
    ("block", "named"),
    [
        ({"variations": {}}, "variations"),
        ({"variants": {"en": [{"answer": {}, "lets": {}}]}}, "lets"),
        ({"variants": {"fr": []}}, "fr"),
        ({"variants": {"en": [{"let": {"a": {"x": 1}}, "answer": {}}]}}, "let"),
        ({"variants": {"en": [{"match": {"persona": "(("}, "answer": {}}]}}, "is no pattern"),
    ],
)
def test_a_wrong_block_is_an_error_that_names_the_place(block: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        phrasing_of(template({"answer": {}}, **block))


@pytest.mark.parametrize("rule", ["1 // 0", "nothing + 1", "'a' + 1", "row('none', 'x')", "1 +"])
def test_an_expression_that_cannot_be_evaluated_is_an_error_that_shows_the_variant(rule: str) -> None:
    with pytest.raises(UsageError, match="offline phrasing"):
        answer({"let": {"a": rule}, "answer": {"text": "shown {{ a }}"}})


def test_draws_depend_on_the_seed_and_the_name_alone() -> None:
    assert Draws("s").below(1000, "a") == Draws("s").below(1000, "a")
    assert len({Draws(seed).below(10**6, name) for seed in "st" for name in "ab"}) == 4


def test_a_language_without_variants_has_none() -> None:
    assert choose(Phrasing(), {}, "ru", Draws("s"), {}) is None


def test_what_a_pattern_finds_in_the_text_is_a_value_and_numbers_can_be_computed_with() -> None:
    matching = {"match": {"persona": "A (?P<job>[a-z]+) who"}, "answer": {"text": "a {{ job }}"}}
    counting = {"match": {"kind": "(?P<n>[0-9]+) odd"}, "answer": {"text": "{{ n + 1 }}"}}
    assert answer(matching) == {"text": "a nurse"}
    asked = template(counting)
    assert answers(asked, [{"persona": "A nurse", "kind": "41 odd"}]) == [{"text": "42"}]


def test_a_variant_whose_pattern_fits_goes_before_those_without_and_one_that_does_not_is_none() -> None:
    plain, fits = {"answer": {"text": "plain"}}, {"match": {"persona": "nurse"}, "answer": {"text": "fits"}}
    misses = {"match": {"persona": "cook"}, "answer": {"text": "wrong"}}
    assert answer(plain, variants={"en": [plain, misses, fits]}) == {"text": "fits"}
    assert answer(plain, variants={"en": [plain, misses]}) == {"text": "plain"}


def test_phrases_are_sandboxed() -> None:
    with pytest.raises(UsageError):
        answer({"answer": {"text": "{{ person.__class__.__mro__ }}"}})


def test_phrase_leaves_values_that_are_no_strings() -> None:
    block = Phrasing.model_validate({"variants": {"en": [{"answer": {"rest": {"a": 1.5, "b": True}}}]}})
    values = {"language": "en", "person": None}
    assert phrase(block.variants["en"][0], values, SCHEMA, block, Draws("s")) == {"rest": {"a": 1.5, "b": True}}
