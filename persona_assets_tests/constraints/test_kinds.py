"""What the data files of constraints have to hold."""

import string
from itertools import chain

import pytest

from persona_assets.constraints.checked import CHECKERS
from persona_assets.constraints.checkers import seen
from persona_assets.constraints.kinds import kind_named, kinds, kinds_of, word_list
from persona_assets.constraints.sentences_of import material
from persona_assets.constraints.words import LANGUAGES, letter_count, times
from persona_assets.errors import UsageError

KINDS = list(kinds().values())
LISTS = ("keywords", "first_words", "last_words", "last_sentences", "keys", "markers")


def test_there_is_a_checker_for_each_kind_and_no_other() -> None:
    assert len(KINDS) >= 24
    assert set(CHECKERS) == set(kinds())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_what_a_kind_excludes_excludes_it(kind) -> None:  # noqa: ANN001
    assert kind.id not in kind.excludes
    assert [other for other in kind.excludes if kind.id not in kinds()[other].excludes] == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_each_language_has_three_wordings_that_name_every_argument(kind) -> None:  # noqa: ANN001
    assert set(kind.wordings) == set(kind.languages)
    for wordings in kind.wordings.values():
        assert len(set(wordings)) >= 3
        for wording in wordings:
            assert {name for _, name, _, _ in string.Formatter().parse(wording) if name} == set(kind.args)


def test_counts_fit_the_plural_of_the_wordings() -> None:
    for kind in KINDS:
        for told in kind.args.values():
            if "range" in told:
                spans = told["range"].values() if isinstance(told["range"], dict) else [told["range"]]
                drawn = [n for first, last, step in spans for n in range(first, last + 1, step)]
                assert all(n > 1 and n % 10 != 1 for n in drawn), f"{kind.id}: a genitive plural does not fit"


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_to_avoid_stand_in_nothing_that_is_asked_for(language: str) -> None:
    given = [one for name in LISTS for one in word_list(name, language)]
    told = material(language)
    given += [*told["keyword"], *told["placeholders"], told["first"], told["last"], told["question"]]
    assert [
        (one, word) for one in given for word in word_list("common_words", language) if times(one, word, language)
    ] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_of_answers_keep_to_constraints_on_punctuation(language: str) -> None:
    told = material(language)
    texts = [
        *told["openings"],
        *told["frames"],
        *told["aspects"],
        *told["keyword"],
        *word_list("last_sentences", language),
    ]
    texts += [told["question"], *chain.from_iterable(told["rich"].values())]
    for kind in ("no_commas", "no_exclamation_marks", "no_digits"):
        assert [text for text in texts if seen(kind, text, {}, language)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_full_of_a_letter_have_as_many_as_may_be_asked_for(language: str) -> None:
    most = kinds()["letter_times"].args["n"]["range"][language][1]
    rich = material(language)["rich"]
    assert set(rich) == set(word_list("letters", language))
    assert {letter: texts for letter, texts in rich.items() if letter_count(" ".join(texts), letter) < most} == {}


@pytest.mark.parametrize(
    ("kind", "args", "language", "said"),
    [
        ("no_coma", {}, "en", "did you mean no_commas"),
        ("no_commas", {}, "de", "no language 'de'"),
        ("lower_case", {}, "zh", "has no meaning in zh, only in en, ru"),
        ("bullets", {}, "en", "the argument 'n' is missing"),
        ("bullets", {"n": 3, "m": 1}, "en", "no argument 'm'"),
        ("bullets", {"n": 0}, "en", "expected a whole number from 1"),
        ("bullets", {"n": True}, "en", "expected a whole number"),
        ("words_between", {"low": 5, "high": 4}, "en", "low (5) is greater than high (4)"),
        ("contains_word", {"word": " "}, "en", "expected a text with a letter"),
        ("letter_times", {"letter": "ab", "n": 2}, "en", "expected one letter"),
        ("json_object", {"keys": []}, "en", "expected a list of different texts"),
        ("json_object", {"keys": ["a", 1]}, "en", "expected a list of different texts"),
        ("other_language", {"to": "en"}, "en", "expected one of zh, ru"),
        ("repeats_request", {}, "en", "the request is missing"),
    ],
)
def test_wrong_constraints_are_told(kind: str, args: dict, language: str, said: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(UsageError, match=said.replace("(", r"\(").replace(")", r"\)")):
        seen(kind, "text", args, language)


def test_a_language_has_the_kinds_with_a_meaning_in_it() -> None:
    assert {kind.id for kind in kinds_of("en")} - {kind.id for kind in kinds_of("zh")} == {
        "lower_case", "capitals", "capital_words",
    }  # fmt: skip
    assert kind_named("no_commas", "zh").group == "punctuation"
