"""Rules of talks and of answers, on conversations in three languages."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.rules import Sample
from persona_assets.rules.registry import rules
from persona_assets.rules.talks import is_courtesy, turns_of
from persona_assets_tests.tasks.people import LANGUAGES, STEPS

TALKS: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("talks.yaml").read_text(encoding="utf-8"))
GOOD = [one for one in TALKS if "rule" not in one]
BAD = [one for one in TALKS if "rule" in one]
ALONE = ("roles_kept", "no_loop_of_thanks", "talk_moves_on")


def sample(told: dict[str, Any]) -> Sample:
    """A conversation as a row has it."""
    talk = [
        {"speaker": ("assistant", "user")[at % 2], "text": text, "beside": None}
        for at, text in enumerate(told["turns"])
    ]
    return Sample({"talk": talk}, "", told["language"], about={"instruction": told["asks"]})


def seen(told: dict[str, Any]) -> dict[str, str]:
    """What the rules of the bundled task see in a conversation, by rule."""
    found = ((check.name, check.apply(sample(told))) for check in STEPS["conversations"].checks)
    return {name: said for name, said in found if said is not None}


def label(told: dict[str, Any]) -> str:
    return f"{told['language']}-{told.get('rule', 'good')}-{told['turns'][1][:20]}"


@pytest.mark.parametrize("told", GOOD, ids=label)
def test_a_good_conversation_breaks_no_rule(told: dict[str, Any]) -> None:
    assert seen(told) == {}


@pytest.mark.parametrize("told", BAD, ids=label)
def test_a_bad_conversation_breaks_the_rule_that_it_is_there_for(told: dict[str, Any]) -> None:
    assert told["rule"] in seen(told)


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_are_eight_of_each_kind_in_every_language(language: str) -> None:
    for some in (GOOD, BAD):
        assert sum(one["language"] == language for one in some) >= 8


def one_turn(speaker: str, text: str, language: str = "en") -> Sample:
    return Sample({"talk": [{"speaker": speaker, "text": text, "beside": None}]}, "", language)


@pytest.mark.parametrize(
    "text",
    [
        "You said that I should wait. Should I still stir it?",
        "Sure, let's do that. But what about the crust?",
        "Let me know if you need more details on the oven. It is a gas one.",
        "Here is a list of what I have: rye, salt, a stone. What can I bake?",
        "Can I use rye? You can see that there is little wheat left.",
        "My neighbour always says: “How can I help you?”",
        "还有什么需要注意的吗？",
        "好的，那如果下雨呢？",
        "Что делать, если у детей возникнут вопросы?",
        "Хорошо, а если дождь?",
    ],
)
def test_a_user_may_say_what_users_say(text: str) -> None:
    assert rules("sample")["roles_kept"](one_turn("user", text), field="talk") is None


@pytest.mark.parametrize(
    "text",
    [
        "Dear Ana,\n\nthank you for your help with the move.",
        "1. Could you explain why it takes a week?\n2. Can you give me an example?",
        "Could you tell me how old the child is? Until then: no honey.",
        "Good that you ask before you bake. Use less water.",
        "All right, I'll start with the basics.",
        "Okay, I'll give you three ways.",
        "Хорошо, попробую объяснить иначе: вода идёт первой.",
        "好的，我换个说法：先放水。",
        "1. 您能给我解释一下保修吗？\n2. 您做过几套？",
        "1. Не могли бы вы объяснить гарантию?\n2. Кто приедет ночью?",
    ],
)
def test_an_assistant_may_draft_what_users_say(text: str) -> None:
    assert rules("sample")["roles_kept"](one_turn("assistant", text), field="talk") is None


@pytest.mark.parametrize(
    ("speaker", "text"),
    [
        ("user", "Would you like me to explain the second step?"),
        ("user", "I can help with that. What flour do you have?"),
        ("user", "Is there anything specific you'd like to know about rye?"),
        ("user", "The persona would now ask about salt."),
        ("user", '{"thought": "more salt", "say": "And salt?"}'),
        ("user", "How warm should it be? Answer: about thirty degrees."),
        ("user", "需要我再详细解释一下吗？"),
        ("user", "水温多少合适？答：三十度左右。"),
        ("user", "这个角色会接着问盐的用量，作为用户，我想知道放多少盐。"),
        ("user", "Хотите, я расскажу подробнее?"),
        ("user", "Какая нужна вода? Ответ: тёплая, градусов тридцать."),
        ("user", "Как пользователь, я спросил бы о соли."),
        ("assistant", "Got it, thanks! I'll try that tomorrow."),
        ("assistant", "Could you give me an example with rye?"),
        ("assistant", "I have a question about the second step."),
        ("assistant", "The user might ask about salt next. Use two spoons."),
        ("assistant", "好的，谢谢！我明天就试试。"),
        ("assistant", "您能再给我举个例子吗？"),
        ("assistant", "用户可能会接着问盐的用量。放两勺。"),
        ("assistant", "Понятно, спасибо! Завтра попробую."),
        ("assistant", "А не могли бы вы привести пример с рожью?"),
        ("assistant", "Пользователь, скорее всего, спросит о соли. Две ложки."),
    ],
)
def test_what_belongs_to_the_other_part_is_seen(speaker: str, text: str) -> None:
    found = rules("sample")["roles_kept"](one_turn(speaker, text), field="talk")
    assert found is not None
    assert found.startswith(f"turn 1 ({speaker}) is out of its part: ")


@pytest.mark.parametrize(
    ("text", "mere"),
    [
        ("Thanks!", True),
        ("You're welcome! I'm sure they will love it. Have a great day!", True),
        ("Thanks, but the dough is still wet.", False),
        ("Thank you. Now make it shorter.", False),
        ("Use two spoons.", False),
        ("谢谢，再见！", True),
        ("谢谢，不过面团还是太湿。", False),
        ("Спасибо, до свидания!", True),
        ("Спасибо, сократите ещё.", False),
    ],
)
def test_thanks_are_mere_where_nothing_goes_further(text: str, mere: bool) -> None:
    assert is_courtesy(text) is mere


def test_one_closing_thanks_is_no_loop() -> None:
    talk = [{"speaker": "assistant", "text": "Use two spoons."}, {"speaker": "user", "text": "Thanks, bye!"}]
    assert rules("sample")["no_loop_of_thanks"](Sample({"talk": talk}, "", "en"), field="talk") is None


POINTS = [
    f"{at}. {word} the pan and write the {word.lower()}ed weight down before it cools."
    for at, word in enumerate(("Heat", "Wash", "Turn", "Mark", "Lift", "Paint"), 1)
]


@pytest.mark.parametrize(
    ("second", "repeats"),
    [
        ("\n".join(POINTS), True),
        ("\n".join(POINTS[:3]), False),  # the same in short
        (
            "\n".join([*POINTS[:4], "5. Ask the smith, who knows a better way.", "6. Oil it and hang it up to dry."]),
            False,
        ),
    ],
)
def test_an_answer_may_come_again_in_short_or_revised(second: str, repeats: bool) -> None:
    told = {"language": "en", "asks": "How?", "turns": ["\n".join(POINTS), "Again, please, and shorter.", second]}
    assert ("talk_moves_on" in seen(told)) is repeats


def test_thoughts_are_not_looked_at() -> None:
    talk = [{"speaker": "user", "text": "Why?", "beside": '{"thought": "As an AI, I am happy to help."}'}]
    found = Sample({"talk": talk}, "", "en")
    assert all(check.apply(found) is None for check in STEPS["conversations"].checks)


@pytest.mark.parametrize(
    ("holds", "text"),
    [
        ("no_refusal", "I'm sorry, but I can't help with that."),
        ("no_placeholder", "Dear [insert name], come in."),
        ("no_unfinished", "Take the pan and"),
        ("no_repetition", "so so so so so so so"),
        ("no_contact_data", "Write to anna.keller@gmail.com today."),
    ],
)
def test_a_rule_of_texts_names_the_turn_in_which_it_sees_something(holds: str, text: str) -> None:
    talk = [{"speaker": "assistant", "text": "Heat the pan."}, {"speaker": "user", "text": text}]
    found = rules("sample")["every_turn"](Sample({"talk": talk}, "", "en"), field="talk", holds=holds)
    assert found.startswith(f"turn 2 (user) {holds}: ")


def test_a_rule_may_look_at_one_speaker_and_count_words() -> None:
    found = Sample({"talk": [{"speaker": "user", "text": "one two three"}]}, "", "en")
    every = rules("sample")["every_turn"]
    assert every(found, field="talk", holds="max_words", speaker="assistant", words=2) is None
    assert "has 3 words" in every(found, field="talk", holds="max_words", speaker="user", words=2)


@pytest.mark.parametrize("rule", ALONE)
@pytest.mark.parametrize("talk", [None, "text", [], [None, 3, {"speaker": None}, {"text": None}], [{"text": ""}]])
def test_what_is_no_talk_is_passed_over(rule: str, talk: Any) -> None:
    assert rules("sample")[rule](Sample({"talk": talk}, "", "en"), field="talk") is None


@given(st.lists(st.text(max_size=200), max_size=5))
def test_any_turns_are_read_in_order(texts: list[str]) -> None:
    found = sample({"language": "en", "asks": "", "turns": texts})
    assert [turn.text for turn in turns_of(found, "talk")] == texts
    for rule in ALONE:
        said = rules("sample")[rule](found, field="talk")
        assert said is None or said.startswith("turn ")


@pytest.mark.parametrize(
    "text", ["? " * 20_000, "谢谢" * 20_000, "user: " * 20_000, "\n**" * 20_000, "спасибо, " * 9_000]
)
def test_a_long_turn_takes_no_time_squared(text: str) -> None:
    talk = [{"speaker": name, "text": text} for name in ("assistant", "user")]
    for rule in ALONE:
        rules("sample")[rule](Sample({"talk": talk}, "", "en"), field="talk")


@pytest.mark.parametrize(
    ("answer", "echoes"),
    [
        ("Name five trees that stay green in winter and tell me how tall they grow.", True),
        ("Name five trees", True),
        ("Spruce, pine, fir, yew and box stay green in winter; all but box grow taller than a house.", False),
        (
            "You ask me to name five trees that stay green in winter. Spruce, pine, fir, yew and box, up to 50 metres.",
            False,
        ),
        ("Yes.", False),
        ("", False),
    ],
)
def test_an_answer_says_more_than_the_request(answer: str, echoes: bool) -> None:
    request = (
        "Name five trees"
        if answer == "Name five trees"
        else "Name five trees that stay green in winter and tell me how tall they grow."
    )
    found = rules("sample")["no_request_echo"](
        Sample({"answer": answer}, "", "en", about={"instruction": request}), field="answer"
    )
    assert (found is not None) is echoes


def test_without_a_request_no_answer_is_an_echo() -> None:
    assert rules("sample")["no_request_echo"](Sample({"answer": "Yes, it is."}, "", "en"), field="answer") is None
