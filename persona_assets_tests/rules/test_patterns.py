"""One source of patterns for the rules of samples and those of personas."""

import polars as pl
import pytest

from persona_assets.rules import Sample
from persona_assets.rules.patterns import LANGUAGES, expressions, of_language, pattern
from persona_assets.rules.registry import rules


def of_sample(name: str, text: str) -> bool:
    return rules("sample")[name](Sample({"text": text}, "", "en")) is not None


def of_persona(name: str, text: str) -> bool:
    frame = pl.DataFrame({"text": [text], "language": ["en"]})
    return rules("persona")[name](frame).item() is not None


@pytest.mark.parametrize(
    ("of_samples", "of_personas", "text"),
    [
        ("no_refusal", "refusal", "I'm unable to assist with that."),
        ("no_refusal", "refusal", "我没办法撰写这些内容。"),
        ("no_refusal", "refusal", "Я не способен составить это описание."),
        ("no_ai_self_reference", "refusal", "As a large language model assistant, I have no opinion"),
        ("no_ai_self_reference", "refusal", "我只是一个人工智能程序。"),
        ("no_ai_self_reference", "refusal", "Являясь нейросетью, я не имею мнения"),
        ("no_meta_talk", "meta_talk", "Question: who keeps bees on a roof?"),
        ("no_meta_talk", "meta_talk", "提示词：住在屋顶的养蜂人"),
        ("no_meta_talk", "meta_talk", "Запрос: пасечник, живущий на крыше"),
        ("no_placeholder", "meta_talk", "A beekeeper from <your city> who rents roofs"),
        ("no_placeholder", "meta_talk", "一位住在【城市】屋顶的养蜂人"),
        ("no_placeholder", "meta_talk", "Пасечник из [укажите город], живущий на крыше"),
        ("no_contact_data", "contact_data", "The beekeeper's bees are at Facebook.com/roofbees"),
        ("no_contact_data", "contact_data", "养蜂人的电话：62345678"),
        ("no_contact_data", "contact_data", "Пасечник живёт на ул. Садовая, д. 5"),
    ],
)
def test_what_a_sample_may_not_say_no_persona_may(of_samples: str, of_personas: str, text: str) -> None:
    assert (of_sample(of_samples, text), of_persona(of_personas, text)) == (True, True)


@pytest.mark.parametrize(
    "text",
    [
        "Увлекается такими темами, как искусственный интеллект, и учит роботов рисовать",
        "I am an AI and robotics student who repairs vacuum cleaners",
        "遗憾没能上大学的出租车司机，每晚听英语广播",
    ],
)
def test_a_persona_that_speaks_of_such_things_stays(text: str) -> None:
    assert not of_persona("refusal", text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_both_read_one_pattern(language: str) -> None:
    assert any(of_language(language)["refuses"] in one for one in expressions("refusal"))


def test_an_unknown_name_is_no_pattern() -> None:
    with pytest.raises(KeyError):
        expressions("no_such_thing")
    with pytest.raises(KeyError):
        pattern("no_such_thing")
