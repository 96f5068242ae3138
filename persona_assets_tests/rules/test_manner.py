"""Rules of data that shows a manner, in three languages."""

import pytest

from persona_assets.rules.manner import first_person, names_no_type, not_about_the_model, second_person
from persona_assets.rules.sample import Sample


def sample(text: str) -> Sample:
    return Sample({"text": text}, "", "")


@pytest.mark.parametrize(
    "text",
    [
        "Are you a robot?",
        "Hello! What is your name?",
        "Which company trained you?",
        "As an AI language model, how do you learn?",
        "Tell me about your training data.",
        "你是谁？",
        "你是机器人吗？",
        "是谁开发了你？",
        "作为人工智能，你怎么看？",
        "Кто ты?",
        "Ты нейросеть?",
        "Кто тебя создал?",
        "Как языковая модель, опиши свой день",
    ],
)
def test_a_question_about_its_reader_is_told(text: str) -> None:
    said = not_about_the_model(sample(text), "text")
    assert said
    assert said.startswith("found: ")


@pytest.mark.parametrize(
    "text",
    [
        "What would you do with an unexpected day off?",
        "Write a story about a robot who learns to paint.",
        "Who made the first bicycle?",
        "Are you in favour of cars in old cities?",
        "How does a language model work?",
        "你怎么看待机器人取代人工？",
        "谁发明了自行车？",
        "你理想中的生日聚会是什么样的？",
        "Кто изобрёл велосипед?",
        "Ты бы завёл собаку?",
        "Чем робот отличается от машины?",
    ],
)
def test_another_question_is_not(text: str) -> None:
    assert not_about_the_model(sample(text), "text") is None


@pytest.mark.parametrize(
    "text", ["As an introvert, I would stay in.", "That is how an INTJ plans.", "我比较内向。", "Типичный интроверт."]
)
def test_a_type_that_is_named_is_told(text: str) -> None:
    assert names_no_type(sample(text), "text")
    assert names_no_type(sample(text))


@pytest.mark.parametrize("text", ["I would stay in and read.", "我想一个人待着。", "Лучше побыть в тишине."])
def test_a_manner_that_is_shown_is_not(text: str) -> None:
    assert names_no_type(sample(text), "text") is None


@pytest.mark.parametrize(
    "text",
    ["On Mondays I walk.", "It was up to me.", "My desk is bare.", "我喜欢走路。", "Мне нравится.", "Это моё дело."],
)
def test_who_speaks_of_themselves_is_seen(text: str) -> None:
    assert first_person(sample(text), "text") is None


@pytest.mark.parametrize("text", ["She walks on Mondays.", "Chapter i of it.", "他喜欢走路。", "Он мог бы мыть окна."])
def test_who_speaks_of_others_is_told(text: str) -> None:
    assert first_person(sample(text), "text") == "nobody speaks of themselves"


@pytest.mark.parametrize(
    "text",
    [
        "What do you do first?",
        "Is your desk bare?",
        "你先做什么？",
        "Что вы делаете?",
        "Что делаешь сначала?",
        "Твой стол пуст?",
    ],
)
def test_who_speaks_to_somebody_is_seen(text: str) -> None:
    assert second_person(sample(text), "text") is None


@pytest.mark.parametrize("text", ["What does he do first?", "他先做什么？", "Что он делает сначала?", "A young youth?"])
def test_who_speaks_to_nobody_is_told(text: str) -> None:
    assert second_person(sample(text), "text") == "nobody is spoken to"
