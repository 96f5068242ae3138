from functools import partial
from typing import Any

import pytest

from persona_assets.rules import Sample, requests, sample_texts, tools
from persona_assets.rules.texts import words

PERSONA = "A night-shift nurse who compares fever charts and explains the dosage by weight to tired parents"
TOOL: dict[str, Any] = {
    "function_name": "check_dosage",
    "parameters": {
        "type": "object",
        "properties": {"weight": {"type": "number", "description": "In kilograms"}},
        "required": ["weight"],
    },
    "returns": {"type": "number"},
}


def sample(text: str = "", language: str = "en", **content: Any) -> Sample:
    return Sample({"text": text, **content}, PERSONA, language)


def test_words_are_counted_by_character_in_chinese() -> None:
    assert words("Two words, 三个字 и слово") == ("two", "words", "三", "个", "字", "и", "слово")


def test_min_and_max_words() -> None:
    assert sample_texts.min_words(sample("one two"), "text", 3) == "text has 2 words, fewer than 3"
    assert sample_texts.min_words(sample("一二三"), "text", 3) is None
    assert sample_texts.max_words(sample("one two"), "text", 1) == "text has 2 words, more than 1"
    assert sample_texts.max_words(sample("one two"), "text", 2) is None


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ("problem", "Sure, here is a maths problem for you: how many"),
        ("problem", "Here is a problem that fits"),
        ("problem", "Certainly! A nurse has 3"),
        ("problem", "A problem that the persona would like"),
        ("problem", "Puzzle 2: three doors, one prize"),
        ("problem", "This riddle tests whether people listen."),
        ("instruction", "Here is a question that a nurse might ask: how long?"),
        ("instruction", "User prompt: plan my week"),
        ("text", "Here is an article about fever."),
        ("text", "Below is a short essay on sleep."),
        ("problem", "当然，以下是一道题目：一名护士有三瓶药"),
        ("problem", "以下是一道数学题：共有几瓶药？"),
        ("instruction", "用户提问：怎样值夜班？"),
        ("instruction", "该人设最关心什么？"),
        ("text", "好的！下面是一篇文章"),
        ("problem", "Конечно! Медсестра считает"),
        ("problem", "Вот задача про медсестру"),
        ("problem", "Эта задача проверяет внимание."),
        ("instruction", "Вопрос: как пережить ночную смену?"),
        ("instruction", "Что спросила бы эта персона?"),
        ("text", "Вот статья о сне."),
    ],
)
def test_what_announces_or_names_itself_is_meta_talk(names: sample_texts.Names, text: str) -> None:
    assert sample_texts.no_meta_talk(sample(text), "text", names)


@pytest.mark.parametrize(
    "text",
    [
        "How can I make sure that the dose is right?",
        "Here is my ward's rota; find the clash: Ann 7-15, Bo 14-22.",
        "Here's the thing: I can't sleep after nights. What helps?",
        "Okay, so my manager changed my shift. Is that allowed?",
        "As requested by the matron I have to shorten this to 50 words.",
        "Given the persona of a tired matron, write a speech.",
        "如何确认剂量是否合适？当然要考虑体重。",
        "好的护理记录应该怎么写？",
        "下面是我的值班表，帮我找出冲突。",
        "Как объяснить родителям дозировку? Конечно, простыми словами.",
        "Вот мой график, найди ошибку: Аня 7-15, Боря 14-22.",
        "Хорошо ли спать после ночной смены днём?",
    ],
)
def test_ordinary_speech_of_a_request_is_no_meta_talk(text: str) -> None:
    for rule in (sample_texts.no_refusal, sample_texts.no_ai_self_reference, sample_texts.no_placeholder):
        assert rule(sample(text), "text") is None
    assert sample_texts.no_meta_talk(sample(text), "text", "instruction") is None


def test_below_is_the_graph_announces_a_graph_and_not_a_problem() -> None:
    assert sample_texts.no_meta_talk(sample("Below is the graph of y = 2x. What is y at 3?"), "text", "problem") is None


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with this request.",
        "I cannot provide medical advice.",
        "抱歉，我无法完成您的请求。",
        "很抱歉，我不能提供这类内容。",
        "К сожалению, я не могу помочь с этим.",
        "Извините, но я не могу выполнить этот запрос.",
    ],
)
def test_a_text_that_only_declines_is_a_refusal(text: str) -> None:
    assert sample_texts.no_refusal(sample(text), "text")


@pytest.mark.parametrize(
    "text",
    [
        "I'm afraid of needles. How do nurses cope with people like me?",
        "I can't help but notice that the dose went up. Why would that be?",
        "抱歉，我不能用手机支付，去医院窗口怎么交费？",
        "К сожалению, я не могу ответить сыну, почему небо синее. Объясни простыми словами.",
    ],
)
def test_who_declines_and_then_asks_is_kept(text: str) -> None:
    assert sample_texts.no_refusal(sample(text), "text") is None


@pytest.mark.parametrize(
    "text",
    [
        "As an AI language model, I have no fever",
        "I am a language model, and I count",
        "作为一个人工智能，我没有孩子",
        "我是一个语言模型",
        "Как языковая модель, я не болею",
        "Я — языковая модель",
    ],
)
def test_a_model_that_speaks_of_itself_is_seen(text: str) -> None:
    assert sample_texts.no_ai_self_reference(sample(text), "text")
    assert sample_texts.no_ai_self_reference(sample("fine", nested={"deep": [text]}))


@pytest.mark.parametrize(
    "text",
    [
        "I am an AI researcher. How do I plan a study?",
        "As a language model evaluator I need ten prompts.",
        "作为人工智能专业的护士，我想学编程。",
        "Я инженер по ИИ, нужен план на полгода.",
    ],
)
def test_people_who_work_on_models_are_no_models(text: str) -> None:
    assert sample_texts.no_ai_self_reference(sample(text), "text") is None


@pytest.mark.parametrize(
    "text",
    [
        "Dear [Name], please",
        "Write about <insert topic here>",
        "{{ persona }} asks",
        "请填写【姓名】",
        "Уважаемый [имя]",
        "Напиши о [вставьте тему]",
    ],
)
def test_blanks_are_placeholders(text: str) -> None:
    assert sample_texts.no_placeholder(sample(text), "text")


@pytest.mark.parametrize(
    "text",
    [
        "Write a template of a letter with [name] and [ward] as merge fields.",
        "Write greet(name) that returns f'Hello {name}'.",
        "What does <name>.conf.d hold?",
        "TODO has 63 cards. Which go?",
        "写一个模板，用【姓名】作占位符。",
        "Сделай шаблон письма с полем [имя].",
        "Simplify $\\frac{a}{b}$ and $x_{{n}}$ step by step.",
    ],
)
def test_blanks_that_are_asked_for_and_code_are_none(text: str) -> None:
    assert sample_texts.no_placeholder(sample(text), "text") is None


@pytest.mark.parametrize(
    "text",
    [
        "Summarise the attached report.",
        "What is on the photo I uploaded?",
        "总结附件中的表格。",
        "我上传的照片里是什么花？",
        "Опиши картинку во вложении.",
        "Прочитай приложенный договор.",
    ],
)
def test_files_that_nobody_has_are_seen(text: str) -> None:
    assert sample_texts.no_missing_file(sample(text), "text")


@pytest.mark.parametrize(
    "text",
    [
        "Olivia uploaded 72 pictures to an album. How many are left of 80?",
        "How do I attach a file to an email?",
        'Shorten: "Please find the attached report below."',
        "怎样给邮件添加附件大小限制？",
        "Как уменьшить размер файла?",
    ],
)
def test_files_that_are_spoken_of_are_fine(text: str) -> None:
    assert sample_texts.no_missing_file(sample(text), "text") is None


@pytest.mark.parametrize(
    "text",
    [
        "Correct the paragraph below.",
        "把下面这首诗翻译成英文。",
        "Исправь ошибки в приведённом ниже абзаце.",
    ],
)
def test_a_text_that_is_spoken_of_has_to_be_there(text: str) -> None:
    assert sample_texts.no_missing_file(sample(text), "text")
    assert sample_texts.no_missing_file(sample(f"{text}\nThe hen sat on the gate."), "text") is None


@pytest.mark.parametrize(
    "text",
    [
        "Explain why the tides rise higher along the",
        "After selling 22 of them, how many",
        "请解释为什么钱塘江的潮水更加",
        "Объясни, почему приливы выше, чем на",
    ],
)
def test_a_text_that_breaks_off_is_seen(text: str) -> None:
    assert sample_texts.no_unfinished(sample(text), "text")


@pytest.mark.parametrize(
    "text",
    ["Complete the sentence: The hen sat on the", "续写：雨下得更加", "Продолжи: мы пошли на", "What is it for?"],
)
def test_a_text_that_asks_for_the_rest_is_whole(text: str) -> None:
    assert sample_texts.no_unfinished(sample(text), "text") is None


@pytest.mark.parametrize("text", ['{"problem": "How many?", "answer": "3"}', '[{"инструкция": "Сравни"}]'])
def test_an_answer_within_an_answer_is_meta_talk(text: str) -> None:
    assert sample_texts.no_meta_talk(sample(text), "text", "problem")


@pytest.mark.parametrize("text", ["[1, 2, 3]", "{blue, green}: rank them", "{}: what is it in Python?"])
def test_lists_and_braces_are_no_answer_within_an_answer(text: str) -> None:
    assert sample_texts.no_meta_talk(sample(text), "text", "instruction") is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Call me at +44 7911 923 456 about the bike.", "phone"),
        ("Write to anna.berg@posteo.net for the seeds.", "email"),
        ("Write to anna.test@posteo.net for the seeds.", "email"),
        ("Order at https://seedshop.net/test now.", "url"),
        ("Buy the seeds at https://seedshop.net/deal/77 now.", "url"),
        ("打电话13912765430预约。", "phone"),
        ("Звони +7 916 123-45-67 до обеда.", "phone"),
    ],
)
def test_what_leads_to_somebody_is_contact_data(text: str, kind: str) -> None:
    assert sample_texts.no_contact_data(sample(text), "text") == kind


@pytest.mark.parametrize(
    "text",
    [
        "Write to help@example.org in the sample letter.",
        "Summarise the article at https://news.example-daily.net/fever-charts for me.",
        "In the story she dials 555-0123 twice.",
        "概括这个网页的内容：https://news.daily-paper.cn/a/77",
        "Сделай краткое содержание статьи https://gazeta.net/a/5 на одну строку.",
        "A lorry carries 1,234,567 bricks. How many are 10 %?",
    ],
)
def test_reserved_addresses_and_links_that_are_the_subject_are_fine(text: str) -> None:
    assert sample_texts.no_contact_data(sample(text), "text") is None


@pytest.mark.parametrize(
    "text",
    [
        "The nurse checks the chart. " * 12,
        "help help help help help",
        "护士每天都要核对图表。" * 6,
        "Медсестра проверяет график. " * 5,
    ],
)
def test_what_stands_there_over_and_over_is_repetition(text: str) -> None:
    assert sample_texts.no_repetition(sample(text), "text")


@pytest.mark.parametrize(
    "text",
    [
        "Find $x$ if $\\frac{1}{2} + \\frac{1}{3} + \\frac{1}{4} + \\frac{1}{5} + \\frac{1}{6} = x$.",
        "Add 5 5 5 5 5 and divide by 5.",
        "哈哈哈哈，给我讲个笑话。",
        "Ах, ах, ах! Напиши продолжение.",
    ],
)
def test_formulas_figures_and_laughter_are_no_repetition(text: str) -> None:
    assert sample_texts.no_repetition(sample(text), "text") is None


@pytest.mark.parametrize(
    "text",
    [
        "A retired nurse who keeps bees and argues about compost.",
        "The user is a nurse. She works nights.",
        "You should first warm the jar and then add the yeast.",
        "一位喜欢做饭的妈妈正在学习如何安排菜单。",
        "他是一名护士，平时上夜班。",
        "Пенсионерка любит сад и хочет отдохнуть.",
        "Отставной машинист, который кормит голубей.",
    ],
)
def test_a_person_described_is_no_request(text: str) -> None:
    assert requests.no_person_description(sample(text), "text")


@pytest.mark.parametrize(
    "text",
    [
        "The sun is a star.",
        "Haiku about a broken lift.",
        "A nurse who works nights wants a plan. Write one.",
        "You are a travel agent. Suggest three cities.",
        "他不想来。",
        "这座山很美丽。",
        "一位护士想调班，请写一封申请。",
        "Солнце — это звезда.",
        "Врач, который лечит зубы: как он называется?",
    ],
)
def test_statements_and_requests_about_people_are_kept(text: str) -> None:
    assert requests.no_person_description(sample(text), "text") is None


def test_a_rule_without_a_field_looks_at_every_text() -> None:
    assert sample_texts.no_repetition(sample("fine", other=["word word word word word"]))


def test_a_text_that_repeats_the_persona_is_an_echo() -> None:
    assert sample_texts.no_persona_echo(sample(f"{PERSONA}. What now?"), "text") == "text repeats 100% of the persona"
    assert sample_texts.no_persona_echo(sample("A nurse compares 12 charts. How many pairs are there?"), "text") is None
    chinese = Sample({"text": "一名护士，喜欢比较发烧表格。"}, "一名护士，喜欢比较发烧表格", "zh")
    assert sample_texts.no_persona_echo(chinese, "text")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How many of the charts does the nurse compare during one long night?", "zh"),
        ("Сколько графиков сравнивает медсестра за одну долгую ночь?", "en"),
        ("护士在漫长的夜里比较了多少张表格？", "ru"),
        ("Combien de tableaux l'infirmière compare-t-elle pendant une longue nuit ?", "en"),
        ("Comment dormir le jour après une nuit de garde ?", "en"),
        ("Скільки графіків порівнює медсестра за одну довгу ніч у лікарні?", "ru"),
    ],
)
def test_another_language_is_seen(text: str, language: str) -> None:
    assert sample_texts.language_matches(sample(text, language), "text")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How many charts does the nurse compare in one night?", "en"),
        ("护士用 Python 脚本 check_dosage 比较了多少张表格？", "zh"),
        ("Сколько графиков сравнивает медсестра за одну ночь?", "ru"),
        ("Translate into plain English: «Тише едешь — дальше будешь».", "en"),
        ("把下面的句子翻译成中文：The early bird catches the worm in the garden.", "zh"),
        ("Вычисли $\\int_0^1 x^2 dx$ и объясни.", "ru"),
        ("Wie viele Tabellen vergleicht die Krankenschwester in einer Nacht?", "de"),
    ],
)
def test_the_language_asked_for_passes(text: str, language: str) -> None:
    assert sample_texts.language_matches(sample(text, language), "text") is None


@pytest.mark.parametrize(
    "text",
    [
        "How many are there?",
        "Find x.",
        "Let $x = 2$. Simplify $x^2$.",
        "If $a = b$, determine $a + b$.",
        "求面积。",
        "每千克____元。",
        "值为（ ）A. 1 B. 2",
        "谁亏钱了",
        "Найди корень.",
        "Докажите, что корень один.",
        "Упростить: $2x + 3x$",
        "Сколько их?",
    ],
)
def test_questions_and_tasks_ask_for_something(text: str) -> None:
    assert requests.is_question_or_task(sample(text), "text") is None


@pytest.mark.parametrize(
    "text",
    [
        "The nurse who knows what to do is tired.",
        "She has a plan to study.",
        "Consider a nurse. The nurse makes a plan.",
        "从前有座山，山里有座庙。",
        "Медсестра устала, как и все.",
        "",
    ],
)
def test_statements_ask_for_nothing(text: str) -> None:
    assert requests.is_question_or_task(sample(text), "text")


@pytest.mark.parametrize(
    "text", ["12 charts", "three charts", "两张表", "пять графиков", "$x$ and $y$", "Prove that all roses are red."]
)
def test_numbers_are_found_in_digits_and_words(text: str) -> None:
    assert requests.has_number(sample(text), "text") is None


def test_a_text_without_numbers_is_refused() -> None:
    assert requests.has_number(sample("Some charts are on the wall."), "text") == "text holds no number"
    assert requests.has_number(sample("店里第二天又卖了一些，共卖了多少个面包？"), "text")
    assert requests.has_number(sample("Магазин продал несколько яблок. Сколько он заработал?"), "text")


@pytest.mark.parametrize(
    "text",
    [
        "How many? Solution: add them.",
        "How many?\n**Answer:** 12",
        "Find x. So the answer is large.",
        "How many? We write \\boxed{12} here",
        "How much does she earn? She earns 12×4 + 18×0.5 = 48 + 9 = $57.",
        "Find the width. Hint: use the ratio. The answer is 1700 m.",
        "Prove it. Proof. The angles are equal. QED.",
        "How many are there? There are 12 of them.",
        "有多少张？答案：12",
        "有多少张？\n解：设有x张",
        "有多少张？因此答案是十二张",
        "Сколько их?\nОтвет: двенадцать",
        "Сколько их? Решение: сложим",
        "一共几张？答案是12张。",
        "Сколько их? Три ряда по 4, значит всего 12.",
    ],
)
def test_a_problem_with_its_solution_is_refused(text: str) -> None:
    assert requests.no_solution(sample(text, answer="12"), "text", "answer")


@pytest.mark.parametrize(
    "text",
    [
        "Give your answer in metres. How long is the rope of 12 parts?",
        "If 2x + 3y = 12 and x = 3, find y.",
        "How many solutions does the equation have? Write the answer as a fraction.",
        "请写出答案。一共有多少张？",
        "Запишите ответ в метрах. Сколько метров верёвки?",
        "Solution: pour 30% acid. That was on the label. How strong is a mix of 2 L and 12 L?",
        "Step 1: pick a card. Step 2: pick a second one. What is the chance of two aces in 12 tries?",
        "How many are left? Round to the nearest 12.",
        "Solve for $x$: $2^{2x} + 12 = 256$.",
        "A shift lasts 6 hours, so a nurse sees 12 patients. How many patients does she see twice?",
    ],
)
def test_a_problem_that_speaks_of_answers_passes(text: str) -> None:
    assert requests.no_solution(sample(text, answer="12"), "text", "answer") is None
    assert requests.no_solution(sample(text, answer=None), "text", "answer") is None


def test_a_usable_tool_passes() -> None:
    assert tools.valid_tool(sample(**TOOL)) is None


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
        ({"parameters": {"type": "object", "properties": {"x": {"type": "float"}}}}, "no JSON Schema"),
        ({"parameters": {"x": {"type": "number", "description": "Weight"}}}, "with properties"),
        ({"parameters": {"type": "object", "properties": {"x": {"description": "Weight"}}}}, "'x' has no type"),
        ({"parameters": {"type": "object", "properties": {"x": {"type": "number"}}}}, "'x' has no description"),
        ({"parameters": {"type": "object", "properties": {"x": True}}}, "'x' has no type"),
        ({"returns": {}}, "says nothing"),
        ({"returns": {"type": "object", "properties": {}}}, "says nothing"),
        ({"returns": "a number"}, "not an object"),
        ({"returns": {"type": "numbr"}}, "no JSON Schema"),
    ],
)
def test_an_unusable_tool_is_refused(change: dict[str, Any], seen: str) -> None:
    assert seen in (tools.valid_tool(sample(**TOOL | change)) or "")


def test_a_deeply_nested_tool_is_refused_and_not_fatal() -> None:
    deep: dict[str, Any] = {}
    for _ in range(3000):
        deep = {"type": "object", "properties": {"x": deep}}
    assert tools.valid_tool(sample(**TOOL | {"returns": deep})) == "returns is nested too deeply"


def test_how_many_there_are_is_not_below_zero() -> None:
    cows = "A farmer has 12 cows and sells 20. How many are left?"
    assert requests.no_contradiction(sample(cows, answer="-8"), "text", "answer")
    assert requests.no_contradiction(sample(cows, answer="8"), "text", "answer") is None
    cold = "At noon it is 3 °C, at night 9 °C less. What is the temperature at night?"
    assert requests.no_contradiction(sample(cold, answer="-6"), "text", "answer") is None


@pytest.mark.parametrize(
    ("text", "agrees"),
    [
        ("A farmer has 12 cows and sells 20 of them. How many are left?", False),
        ("Ann has 23 nuts, Bo gives her 42. She eats 44 of those. How many are left?", True),
        ("Carla has 8 cats and feeds 3/4 of them. How many is that?", True),
        ("A class has 30 pupils: 18 girls and 17 boys. How many girls walk?", False),
        ("A class has 35 pupils: 18 girls and 17 boys. How many girls walk?", True),
        ("В классе 30 учеников: 18 девочек и 17 мальчиков. Сколько девочек?", False),
        ("车上有12人，其中20人下车，还剩几人？", False),
        ("В вагоне 12 человек, 20 из них вышли. Сколько осталось?", False),
    ],
)
def test_a_part_is_no_larger_than_all_that_was_named(text: str, agrees: bool) -> None:
    assert (requests.no_contradiction(sample(text), "text") is None) == agrees


HOSTILE = [
    "9",
    "(",
    "\\boxed{",
    "of two a ",
    "{abc} ",
    ". ",
    "\n",
    "“",
    "\\[",
    "```",
    "$",
    "a",
    "a1",
    "A. ",
    "( ",
    "он ",
    "一",
    "「",
    "@",
    "1-",
    "http://",
    "[",
    "{{",
    "|",
]


@pytest.mark.parametrize("piece", HOSTILE, ids=repr)
def test_rules_take_time_with_the_length_of_a_text_and_no_more(piece: str) -> None:
    """No model can hold a run up: this takes a second, and minutes where a rule goes over a text squared."""
    rules_of_all = [
        partial(sample_texts.no_meta_talk.see, names="problem"),
        *(sample_texts.no_refusal.see, sample_texts.no_ai_self_reference.see, sample_texts.no_placeholder.see),
        *(sample_texts.no_missing_file.see, sample_texts.no_unfinished.see, sample_texts.no_repetition.see),
        *(requests.no_person_description.see, requests.is_question_or_task.see, requests.has_number.see),
        *(requests.no_solution.see, requests.no_contradiction.see, sample_texts.language_matches.see),
        *(sample_texts.no_contact_data.see, requests.no_vagueness.see),
        partial(requests.answer_follows.see, answer_field="answer"),
    ]
    text = piece * (60_000 // len(piece))
    for rule in rules_of_all:
        seen = rule(sample(f"How many? {text}", answer="7"), field="text")
        assert seen is None or 0 < len(seen) < 200


@pytest.mark.parametrize(
    "text",
    [
        "A retired tram driver who breeds pigeons on a roof and argues with the neighbours meets two liars. Who lies?",
        "一位退休后在阳台上养鸽子、还喜欢和邻居争论养鸽方法的电车司机遇到两个骗子。谁在说谎？",
        "Пожилой водитель трамвая, который держит голубей на крыше и спорит с соседом, видит двух лжецов. Кто лжёт?",
    ],
)
def test_a_problem_does_not_begin_with_all_that_a_persona_is(text: str) -> None:
    seen = requests.no_person_description(sample(text), "text") or ""
    assert seen.startswith("text begins with the description of a person")


@pytest.mark.parametrize(
    "text",
    [
        "A nurse who works nights meets two liars. Who lies?",
        "A farmer who has 30 cows and 12 goats wants to fence a field. How long is the fence?",
        "一位护士遇到两个骗子。谁在说谎？",
        "Водитель, который едет домой, встречает двух лжецов. Кто лжёт?",
    ],
)
def test_a_problem_may_be_about_somebody(text: str) -> None:
    assert requests.no_person_description(sample(text), "text") is None


@pytest.mark.parametrize(
    ("language", "working", "answer", "refused"),
    [
        ("en", "3 boxes hold 4 pens each, so 3 * 4 = 12. The answer is 12.", "12", False),
        ("en", "3 boxes hold 4 pens each, so 3 * 4 = 12. The answer is 12.", "14", True),
        ("en", "3 * 4 = 12, and half of it is 6. Check: 6 * 2 = 12.", "6", False),
        ("en", "We divide and find $\\boxed{\\frac{1}{2}}$.", "0.5", False),
        ("en", "We divide and find $\\boxed{\\frac{1}{2}}$.", "2", False),
        ("en", "So x = 1,200.", "1200 litres", False),
        ("en", "By symmetry both are alike.", "12", False),
        ("en", "So x = 7.", "seven", False),
        ("en", "So x = 7.", "all of them", False),
        ("zh", "一共三盒，每盒四支，所以答案：12。", "十二支", False),
        ("zh", "一共三盒，每盒四支，所以答案：12。", "十四支", True),
        ("ru", "В трёх коробках по 4 ручки. Ответ: 12.", "двенадцать", False),
        ("ru", "В трёх коробках по 4 ручки. Ответ: 12.", "14", True),
    ],
)
def test_an_answer_is_what_the_working_gives(language: str, working: str, answer: str, refused: bool) -> None:
    given = sample(language=language, working=working, answer=answer)
    assert (requests.answer_follows(given, "working", "answer") is not None) == refused
