from typing import Any

import pytest

from persona_assets.errors import UsageError
from persona_assets.prompts import Template
from persona_assets.tasks import rules_content, rules_text
from persona_assets.tasks.sample import Sample, words
from persona_assets.tasks.validity import RULES, bind, verdict

PERSONA = "A night-shift nurse who compares fever charts and explains the dosage by weight to tired parents"
TOOL: dict[str, Any] = {
    "function_name": "check_dosage",
    "parameters": {"type": "object", "properties": {"weight": {"type": "number"}}, "required": ["weight"]},
    "returns": {"type": "number"},
}


def sample(text: str = "", language: str = "en", **content: Any) -> Sample:
    return Sample({"text": text, **content}, PERSONA, language)


def task(*validity: dict[str, Any]) -> Template:
    return Template.model_validate(
        {
            "name": "tried",
            "version": 1,
            "title": "T",
            "description": "D",
            "messages": [{"role": "user", "content": "{{ persona }}"}],
            "response_schema": {"type": "object", "properties": {"text": {"type": "string"}}},
            "validity": list(validity),
        }
    )


def test_words_are_counted_by_character_in_chinese() -> None:
    assert words("Two words, 三个字 и слово") == ["two", "words", "三", "个", "字", "и", "слово"]


def test_min_and_max_words() -> None:
    assert rules_text.min_words(sample("one two"), "text", 3) == "text has 2 words, fewer than 3"
    assert rules_text.min_words(sample("一二三"), "text", 3) is None
    assert rules_text.max_words(sample("one two"), "text", 1) == "text has 2 words, more than 1"
    assert rules_text.max_words(sample("one two"), "text", 2) is None


@pytest.mark.parametrize(
    "text",
    [
        "Sure, here is a maths problem for you: how many",
        "Here is a problem that fits",
        "Certainly! A nurse has 3",
        "I'm sorry, but I will not write that",
        "I cannot help with this request",
        "A problem that the persona would like",
        "As requested, a nurse counts",
        "当然，一名护士有三瓶药",
        "好的，题目如下",
        "以下是一道数学题",
        "抱歉，我无法完成",
        "根据您的要求，出题如下",
        "Конечно! Медсестра считает",
        "Вот задача про медсестру",
        "К сожалению, я не могу помочь",
        "Задача для данной персоны",
    ],
)
def test_announcements_and_refusals_are_meta_talk(text: str) -> None:
    assert rules_text.no_meta_talk(sample(text))


@pytest.mark.parametrize(
    "text",
    [
        "How can I make sure that the dose is right?",
        "Help me write to someone who says sorry too often.",
        "A nurse cannot find one of 12 charts. How many are left?",
        "如何确认剂量是否合适？当然要考虑体重。",
        "Как объяснить родителям дозировку? Конечно, простыми словами.",
    ],
)
def test_ordinary_requests_are_no_meta_talk(text: str) -> None:
    assert rules_text.no_meta_talk(sample(text)) is None
    assert rules_text.no_ai_self_reference(sample(text)) is None
    assert rules_text.no_placeholder(sample(text)) is None


@pytest.mark.parametrize(
    "text",
    [
        "As an AI language model, I have no fever",
        "I am a language model and count",
        "作为一个人工智能，我没有孩子",
        "我是一个语言模型",
        "Как языковая модель, я не болею",
        "Я — языковая модель",
    ],
)
def test_a_model_that_speaks_of_itself_is_seen(text: str) -> None:
    assert rules_text.no_ai_self_reference(sample(text))
    assert rules_text.no_ai_self_reference(sample("fine", nested={"deep": [text]}))


def test_a_person_who_works_on_ai_is_no_self_reference() -> None:
    assert rules_text.no_ai_self_reference(sample("I am an AI researcher. How do I plan a study?")) is None


@pytest.mark.parametrize(
    "text",
    [
        "Dear [Name], please",
        "Write about <insert topic here>",
        "{{ persona }} asks",
        "请填写【姓名】",
        "Уважаемый [имя]",
    ],
)
def test_blanks_are_placeholders(text: str) -> None:
    assert rules_text.no_placeholder(sample(text))


def test_a_text_that_repeats_the_persona_is_an_echo() -> None:
    assert rules_text.no_persona_echo(sample(f"{PERSONA}. What now?"), "text") == "text repeats 100% of the persona"
    assert rules_text.no_persona_echo(sample("A nurse compares 12 charts. How many pairs are there?"), "text") is None
    chinese = Sample({"text": "一名护士，喜欢比较发烧表格。"}, "一名护士，喜欢比较发烧表格", "zh")
    assert rules_text.no_persona_echo(chinese, "text")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How many of the charts does the nurse compare during one long night?", "zh"),
        ("Сколько графиков сравнивает медсестра за одну долгую ночь?", "en"),
        ("护士在漫长的夜里比较了多少张表格？", "ru"),
        ("Combien de tableaux l'infirmière compare-t-elle pendant une longue nuit ?", "en"),
        ("Скільки графіків порівнює медсестра за одну довгу ніч у лікарні?", "ru"),
    ],
)
def test_another_language_is_seen(text: str, language: str) -> None:
    assert rules_text.language_matches(sample(text, language), "text")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How many charts does the nurse compare in one night?", "en"),
        ("护士用 Python 脚本 check_dosage 比较了多少张表格？", "zh"),
        ("Сколько графиков сравнивает медсестра за одну ночь?", "ru"),
        ("Wie viele Tabellen vergleicht die Krankenschwester in einer Nacht?", "de"),
    ],
)
def test_the_language_asked_for_passes(text: str, language: str) -> None:
    assert rules_text.language_matches(sample(text, language), "text") is None


@pytest.mark.parametrize(
    "text",
    [
        "How many are there?",
        "Find x.",
        "Please fix my plan",
        "求面积。",
        "请帮我写信",
        "Найдите корень.",
        "Сколько их?",
    ],
)
def test_questions_and_tasks_ask_for_something(text: str) -> None:
    assert rules_content.is_question_or_task(sample(text), "text") is None


@pytest.mark.parametrize(
    "text", ["The nurse who knows what to do is tired.", "护士几乎累倒了。", "Медсестра устала, как и все.", ""]
)
def test_statements_ask_for_nothing(text: str) -> None:
    assert rules_content.is_question_or_task(sample(text), "text")


@pytest.mark.parametrize("text", ["12 charts", "three charts", "两张表", "пять графиков", "x = 4"])
def test_numbers_are_found_in_digits_and_words(text: str) -> None:
    assert rules_content.has_number(sample(text), "text") is None


def test_a_text_without_numbers_is_refused() -> None:
    assert rules_content.has_number(sample("Some charts are on the wall."), "text") == "text holds no number"


@pytest.mark.parametrize(
    "text",
    [
        "How many? Solution: add them.",
        "How many?\n**Answer:** 12",
        "Find x. So the answer is large.",
        "We write \\boxed{12} here",
        "有多少张？答案：12",
        "有多少张？\n解：设有x张",
        "有多少张？因此答案是十二张",
        "Сколько их?\nОтвет: двенадцать",
        "Сколько их? Решение: сложим",
        "There are 3 rows of 4 charts, therefore there are 12",
        "共有3排，每排4张，所以一共12张",
        "Три ряда по 4 графика, значит всего 12",
    ],
)
def test_a_problem_with_its_solution_is_refused(text: str) -> None:
    assert rules_content.no_solution(sample(text, answer="12"), "text", "answer")


@pytest.mark.parametrize(
    "text",
    [
        "Give your answer in metres. How long is the rope of 12 parts?",
        "If 2x + 3y = 12 and x = 3, find y.",
        "How many solutions does the equation have? Write the answer as a fraction.",
        "请写出答案。一共有多少张？",
        "Запишите ответ в метрах. Сколько метров верёвки?",
        "A shift lasts 6 hours, so a nurse sees 12 patients. How many patients does she see twice?",
    ],
)
def test_a_problem_that_speaks_of_answers_passes(text: str) -> None:
    assert rules_content.no_solution(sample(text, answer="12"), "text", "answer") is None
    assert rules_content.no_solution(sample(text, answer=None), "text", "answer") is None


def test_a_usable_tool_passes() -> None:
    assert rules_content.valid_tool(sample(**TOOL)) is None


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ({"function_name": "check dosage"}, "not an identifier"),
        ({"function_name": "class"}, "not an identifier"),
        ({"function_name": None}, "not an identifier"),
        ({"parameters": {"type": "object"}}, "with properties"),
        ({"parameters": {"type": "array", "properties": {}}}, "with properties"),
        ({"parameters": {"type": "object", "properties": {"x": {"type": "numbr"}}}}, "no JSON Schema"),
        ({"parameters": {"type": "object", "properties": {"a b": {}}}}, "not an identifier"),
        ({"parameters": {"type": "object", "properties": {}, "required": ["x"]}}, "not a property"),
        ({"parameters": "weight: number"}, "not an object"),
        ({"returns": {}}, "says nothing"),
        ({"returns": "a number"}, "not an object"),
        ({"returns": {"type": "numbr"}}, "no JSON Schema"),
    ],
)
def test_an_unusable_tool_is_refused(change: dict[str, Any], seen: str) -> None:
    assert seen in (rules_content.valid_tool(sample(**TOOL | change)) or "")


def test_a_deeply_nested_tool_is_refused_and_not_fatal() -> None:
    deep: dict[str, Any] = {}
    for _ in range(3000):
        deep = {"type": "object", "properties": {"x": deep}}
    assert rules_content.valid_tool(sample(**TOOL | {"returns": deep})) == "returns is nested too deeply"


def test_checks_run_in_order_and_the_first_names_the_reason() -> None:
    checks = bind(task({"rule": "has_number", "args": {"field": "text"}}, {"rule": "no_meta_talk"}))
    assert verdict(checks, sample("As requested")) == ("has_number", "text holds no number")
    assert verdict(checks, sample("As requested, 12")) == ("no_meta_talk", "found: As requested")
    assert verdict(checks, sample("12 charts")) is None


def test_an_unknown_rule_is_an_error_that_suggests_the_nearest_and_lists_all() -> None:
    with pytest.raises(UsageError, match="did you mean no_solution") as caught:
        bind(task({"rule": "no_solutions"}))
    assert all(name in str(caught.value) for name in RULES)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"rule": "min_words", "args": {"field": "text"}}, "words"),
        ({"rule": "has_number", "args": {"field": "text", "colour": "red"}}, "colour"),
        ({"rule": "has_number", "args": {"field": "txt"}}, "'txt' is no property of a row; did you mean text"),
    ],
)
def test_wrong_arguments_are_errors(rule: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        bind(task(rule))
