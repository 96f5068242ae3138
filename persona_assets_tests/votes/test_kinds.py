"""Answers to logic problems: one form for what is one answer, by the kind of answer, in three languages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.votes.kinds import KINDS, LONGEST, fold, form_of, options_of, said_answer, same_of

YES = [
    *("Yes", "yes.", "Yes, it is possible", "It is possible", "True", "they can", "it's not impossible"),
    *("可能", "有可能", "是的", "没错", "能，因为没有人反对", "会", "да", "Да, может", "может", "Верно!", "«Да»"),
]
NO = [
    *("No", "No, never.", "It is impossible.", "It is not possible", "None of them can", "they cannot", "False"),
    *("不可能", "没有可能", "不是", "不会", "否", "是不可能的", "нет", "Нет, не может.", "Невозможно", "не может"),
    *("Никто не может", "Нет"),
]
NEITHER = ["maybe", "42", "", "   ", "красный"]


@pytest.mark.parametrize("answer", YES)
def test_what_affirms_is_yes(answer: str) -> None:
    assert form_of(answer, "yes_no", "en") == "yes"


@pytest.mark.parametrize("answer", NO)
def test_what_denies_is_no(answer: str) -> None:
    assert form_of(answer, "yes_no", "en") == "no"


@pytest.mark.parametrize("answer", NEITHER)
def test_what_does_neither_cannot_be_read(answer: str) -> None:
    assert form_of(answer, "yes_no", "en") == ""


ORDERS = [
    *("A, B, C", "1. A 2. B 3. C", "1) A; 2) B; 3) C", "A -> B -> C", "A → B → C", "A > B > C", "A\nB\nC", "A、B、C"),
    *("first A, then B, and finally C", "First: A; second: B; third: C", "«A», «B», «C»", "首先A，然后B，最后C"),
    *("сначала A, затем B, и наконец C", "a / b / c", "A — B — C", "(A, B, C)"),
]


@pytest.mark.parametrize("answer", ORDERS)
def test_an_order_is_its_items_in_their_order(answer: str) -> None:
    assert form_of(answer, "order", "en") == "a | b | c"


def test_an_order_of_names_with_hyphens_and_spaces_keeps_them_whole() -> None:
    assert form_of("honey-bees, sugar syrup, K-12", "order", "en") == "honey-bees | sugar syrup | k-12"
    assert form_of("just one", "order", "en") == ""


NAMES = st.text("abcdefgh", min_size=2, max_size=6).filter(lambda name: name not in ("an", "and"))


@given(st.lists(NAMES, min_size=2, max_size=6, unique=True), st.sampled_from([", ", "; ", " -> ", " → ", "、", "\n"]))
def test_any_separator_gives_the_same_order(names: list[str], separator: str) -> None:
    assert form_of(separator.join(names), "order", "en") == " | ".join(names)
    assert form_of(separator.join(reversed(names)), "order", "en") != " | ".join(names)


PROBLEMS = {
    "en": "Which drawer? A) the red drawer B) the green drawer C) the blue drawer",
    "zh": "哪个？\nA、红抽屉\nB、绿抽屉\nC、蓝抽屉",
    "ru": "Какой ящик? А) красный ящик; Б) зелёный ящик; В) синий ящик",
}
SECOND = {
    "en": ["B", "b", "(B)", "B.", "option B", "Answer: B", "B) the green drawer", "the green drawer", "Green drawer."],
    "zh": ["B", "选B", "选项B", "答案：B", "绿抽屉", "在绿抽屉里", "“绿抽屉”"],
    "ru": ["Б", "вариант Б", "Ответ: Б", "б)", "Зелёный ящик", "зеленый ящик", "в зелёном ящике"],
}


@pytest.mark.parametrize(("language", "answer"), [(key, one) for key, found in SECOND.items() for one in found])
def test_an_options_letter_and_its_text_have_one_form(language: str, answer: str) -> None:
    assert form_of(answer, "choice", language, options_of(PROBLEMS[language])) == "#2"


def test_a_list_of_one_option_is_none() -> None:
    assert options_of("He lives in flat A) and is 3 years old.") == {}
    assert options_of("Who is it?") == {}


SAME = [
    ("the green drawer", "green"),
    ("in the green drawer", "the green one"),
    ("в зелёном", "зелёный ящик"),
    ("绿抽屉", "在绿抽屉里"),
    ("папка «пчёлы»", "пчёлы"),
    ("the folder on bees", "Bees"),
]
OTHER = [
    ("the green drawer", "the red drawer"),
    ("в красном", "в зелёном"),
    ("绿抽屉", "红抽屉"),
    ("red or green", "green"),
    ("not the red drawer", "red drawer"),
    ("绿抽屉或红抽屉", "绿抽屉"),
    ("#1", "#2"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_names_of_one_thing_are_one_choice(one: str, other: str) -> None:
    same = same_of("choice")
    assert same(fold(one), fold(other))
    assert same(fold(other), fold(one))


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_names_of_different_things_are_not(one: str, other: str) -> None:
    assert not same_of("choice")(fold(one), fold(other))


@pytest.mark.parametrize(
    ("answer", "solution", "found"),
    [
        ("east", "The answer is west.", "east"),
        (None, "We turn. The answer is west.", "west"),
        (None, "先转弯。所以答案为正东方向30米。", "正东方向30米"),
        (None, "Это ответственность. Итак, ответ: на востоке, 30 метров.", "на востоке, 30 метров"),
        (None, "**Answer:** A, B, C", "A, B, C"),
        (None, "Nobody knows.", ""),
        ("x" * (LONGEST + 1), "The answer is 1.", ""),
    ],
)
def test_the_answer_is_what_is_named_or_said_last(answer: str | None, solution: str, found: str) -> None:
    assert said_answer(answer, solution) == found


@given(st.text(max_size=300), st.sampled_from(KINDS), st.sampled_from(["en", "zh", "ru"]))
def test_any_text_can_be_read(text: str, kind: str, language: str) -> None:
    form = form_of(text, kind, language, options_of(text))
    same_of(kind)(form, form_of(text[::-1], kind, language))
    said_answer(None, text)


@pytest.mark.parametrize(
    "text", ["A) " * 3000, "answer: " * 2000, ", " * 9000, "не " * 5000, "1. " * 5000, "a" * 99999]
)
def test_a_hostile_text_costs_little(text: str) -> None:
    options_of(text)
    said_answer(None, text)
    for kind in KINDS:
        assert form_of(text, kind, "en") == ""
        form_of(text[:LONGEST], kind, "en")
