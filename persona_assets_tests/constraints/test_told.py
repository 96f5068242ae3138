"""Messages that tell constraints in words of their own."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.constraints.constraint import Args, Constraint
from persona_assets.constraints.draw import draw
from persona_assets.constraints.kinds import kinds
from persona_assets.constraints.told import _all, says_number, untold
from persona_assets.constraints.words import LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_wording_tells_its_constraint(language: str) -> None:
    missing = {
        one.text: said
        for number in range(3000)
        for one in draw(f"smp_{number}", language)
        if (said := untold(one, f"Why? {one.text}", language))
    }
    assert missing == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_request_without_them_tells_no_constraint(language: str) -> None:
    request = {"en": "How do I grow tomatoes?", "zh": "怎样种番茄？", "ru": "Как растить помидоры?"}[language]
    told = {
        one.kind
        for number in range(1500)
        for one in draw(f"smp_{number}", language)
        if not untold(one, request, language)
    }
    assert told == set()


@pytest.mark.parametrize(
    ("kind", "args", "language", "message"),
    [
        ("bullets", {"n": 4}, "en", "How do I prune roses? I'd like four bullet points, no more."),
        ("words_at_most", {"n": 120}, "en", "Explain tides in under one hundred and twenty words, please."),
        ("words_at_least", {"n": 100}, "en", "Tell me about bees in a hundred words or more."),
        ("word_times", {"word": "garden", "n": 2}, "en", "And say “garden” at least twice."),
        ("paragraphs", {"n": 3}, "en", "A three-paragraph answer with blank lines would be great."),
        ("other_language", {"to": "zh"}, "en", "Could you reply in Chinese?"),
        ("no_commas", {}, "en", "Oh, and no commas please."),
        ("no_digits", {}, "en", "Spell out every number, please."),
        ("repeats_request", {}, "en", "Echo my question first."),
        ("words_at_least", {"n": 120}, "en", "120+ words would be ideal."),
        ("highlights", {"n": 3}, "zh", "至少加粗三处。"),
        ("no_digits", {}, "ru", "Все числа, пожалуйста, прописью."),
        ("words_at_least", {"n": 80}, "ru", "Хотя бы восемьдесят слов, пожалуйста."),
        ("bullets", {"n": 5}, "zh", "怎么修剪玫瑰？请列出五个要点。"),
        ("words_at_most", {"n": 120}, "zh", "请解释潮汐，一百二十字以内。"),
        ("sentences_exactly", {"n": 5}, "ru", "Расскажите о приливах ровно в пяти предложениях."),
        ("word_times", {"word": "окно", "n": 3}, "ru", "И пусть слово «окно» встретится хотя бы трижды."),
        ("words_at_least", {"n": 120}, "ru", "Нужно не менее ста двадцати слов."),
        ("other_language", {"to": "en"}, "ru", "Ответьте, пожалуйста, по-английски."),
    ],
)
def test_own_words_tell_it(kind: str, args: Args, language: str, message: str) -> None:
    assert untold(Constraint(kind, args, "t"), message, language) is None


@pytest.mark.parametrize(
    ("kind", "args", "language", "message", "said"),
    [
        ("bullets", {"n": 4}, "en", "Give me a list of five bullet points.", "“4” is missing"),
        ("words_at_least", {"n": 120}, "en", "Write at least about 120 words.", "“120” is missing, or not"),
        ("words_at_most", {"n": 120}, "en", "Around 120 words are enough.", "nothing tells"),
        ("words_between", {"low": 80, "high": 120}, "en", "Use 80 words at least.", "“120”"),
        ("json_object", {"keys": ["steps", "advice"]}, "en", "Answer in JSON with the key steps.", "“advice”"),
        ("last_sentence", {"sentence": "Take your time with it."}, "en", "End with: “Take your time.”", "Take your"),
        ("contains_word", {"word": "окно"}, "ru", "Используйте слово «окна».", "“окно”"),
        ("words_at_most", {"n": 200}, "zh", "大约200字以内就行。", "“200”"),
        ("words_at_most", {"n": 200}, "zh", "最多200字左右。", "“200”"),
        ("words_at_least", {"n": 120}, "en", "At least 120 words or so.", "“120”"),
        ("words_at_least", {"n": 120}, "ru", "Не менее примерно 120 слов.", "“120”"),
        ("no_digits", {}, "ru", "Пишите просто.", "nothing tells"),
    ],
)  # fmt: skip
def test_what_is_missing_is_told(kind: str, args: Args, language: str, message: str, said: str) -> None:
    assert said in str(untold(Constraint(kind, args, "t"), message, language))


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 999), st.text(max_size=40), st.sampled_from(LANGUAGES))
def test_digits_are_found_wherever_they_stand(wanted: int, around: str, language: str) -> None:
    assert says_number(f"{around} x {wanted} x {around}", wanted, language)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200), st.sampled_from(LANGUAGES), st.text(max_size=8))
def test_no_message_ends_the_check(message: str, language: str, key: str) -> None:
    for one in draw(key, language):
        assert isinstance(untold(one, message, language), str | None)


def test_each_kind_and_language_has_its_words() -> None:
    assert {name: set(one) for name, one in _all().items()} == {
        name: set(kind.languages) for name, kind in kinds().items()
    }
