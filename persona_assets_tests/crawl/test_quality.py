import time
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from persona_assets.crawl import quality
from persona_assets.crawl.normalise import normalise
from persona_assets.crawl.quality import damage, machine, notices, prose, repetition
from persona_assets.crawl.quality.look import LOOKED_AT, look
from persona_assets.errors import UsageError
from persona_assets.rules.registry import Rule, rules
from persona_assets.settings import Settings
from persona_assets_tests.crawl.conftest import EN, RU, ZH

SETTINGS = Settings()


@pytest.mark.parametrize("text", [EN, RU, ZH], ids=["en", "ru", "zh"])
@pytest.mark.parametrize("rule", rules("document").values(), ids=lambda rule: rule.name)
def test_plain_prose_passes_every_rule(rule: Rule, text: str) -> None:
    assert rule(text, SETTINGS) is None


@pytest.mark.parametrize(
    ("text", "kept"), [("a" * 199, False), ("a" * 200, True), ("书" * 66, False), ("书" * 67, True)]
)
def test_chinese_needs_a_third_of_the_characters(text: str, kept: bool) -> None:
    assert (damage.too_short(text, SETTINGS) is None) is kept


def test_white_space_does_not_make_a_text_long() -> None:
    assert damage.too_short("a" + " \n" * 1000, SETTINGS)


def test_more_characters_than_the_limit_are_too_large() -> None:
    assert damage.too_large("a" * 1001, Settings(max_document_bytes=1000))


@pytest.mark.parametrize(
    "text", ["\ufffdPNG\n\x1a\n\0\rIHDR", "‰PNG\n", "GIF89a\x01", "%PDF-1.7\nstream", "\x7fELF\x02"]
)
def test_binary_files_decoded_as_text_are_named(text: str) -> None:
    assert damage.not_text(text, SETTINGS)


@pytest.mark.parametrize(
    "text",
    [
        "plain words " * 20 + "\ufffd" * 10,
        "plain words " * 20 + "\x01\x02\x03" * 3,
        RU.encode().decode("cp1251", "replace"),
        ZH.encode().decode("latin-1"),
        "Ñƒ Ð¼ÐµÐ½Ñ\x8f ÐµÑ\x81Ñ‚ÑŒ Ð´Ð¾Ð¼ " * 5,
    ],
    ids=["replacement", "controls", "utf8-as-cp1251", "utf8-as-latin1", "utf8-as-cp1252"],
)
def test_damaged_text_is_undecodable(text: str) -> None:
    assert damage.undecodable(text, SETTINGS)


@pytest.mark.parametrize("text", ["Ça va très bien, n’est-ce pas ? « Où ça ? » dit-il — né en été." * 10, RU.upper()])
def test_accents_and_capitals_are_no_damage(text: str) -> None:
    assert damage.undecodable(text, SETTINGS) is None


@pytest.mark.parametrize("text", ["$$$ 12.50 | 99 | 7-4 | ### ==> " * 20, "0123456789" * 40])
def test_figures_and_signs_are_mostly_symbols(text: str) -> None:
    assert prose.mostly_symbols(text, SETTINGS)


def test_hindi_vowel_signs_count_as_letters() -> None:
    assert prose.mostly_symbols("नदी के किनारे एक पुरानी चक्की खड़ी है।" * 5, SETTINGS) is None


def test_boilerplate_that_comes_again_and_again_is_repeated_lines() -> None:
    assert repetition.repeated_lines("\n".join(["Add to cart now", EN[:30]] * 8), SETTINGS)


def test_a_refrain_is_no_repetition() -> None:
    assert repetition.repeated_lines("\n".join([EN, "la la", RU, "la la", "la la"]), SETTINGS) is None


@pytest.mark.parametrize("text", [EN, RU, ZH], ids=["en", "ru", "zh"])
def test_one_paragraph_over_and_over_is_repeated_phrases(text: str) -> None:
    assert repetition.repeated_phrases(" ".join([text] * 20), SETTINGS)
    assert repetition.repeated_phrases(" ".join([text] * 3), SETTINGS) is None


def test_a_name_over_and_over_is_stuffing_whatever_stands_between() -> None:
    text = (
        "A roofer in York is a roofer in York you know. Call the roofer in York, our roofer in York. Every roofer in "
    )
    told = repetition.stuffed(text + "York learns from a roofer in York, says the roofer in York.", SETTINGS)
    assert told == "'roofer in york' 7 times, 60% of the words"


@pytest.mark.parametrize(
    "text",
    [
        "Home\nAbout us\nContact\nCareers\nPress\nImprint\nPrivacy\nHelp\nBasket\nOffers\nVouchers\nStores",
        "首页\n联系我们\n。\n公司新闻\n产品中心\n人才招聘\n下载专区\n在线留言\n网站地图",
        "Tyres | Oil | Car wash | Brakes | Our prices | Opening hours | Directions",
    ],
    ids=["en", "zh", "bars"],
)
def test_menus_are_no_prose_or_menus(text: str) -> None:
    assert prose.no_prose(text, SETTINGS) or prose.menu(text, SETTINGS)


@pytest.mark.parametrize(
    "text", ["He said that it works.", "今天的天气非常好，我们去公园。", "Это простое длинное предложение!", "ก" * 40]
)
def test_one_sentence_is_enough(text: str) -> None:
    assert prose.no_prose(text, SETTINGS) is None
    assert prose.menu(text, SETTINGS) is None


def test_a_language_that_was_not_asked_for_is_told() -> None:
    assert quality.language("en", 0.9, SETTINGS) is None
    assert quality.language("de", 0.9, SETTINGS) == "de with confidence 0.90, asked for are en, zh, ru"


@pytest.mark.parametrize(("floor", "kept"), [(0.5, False), (0.4, True)])
def test_a_language_that_is_a_guess_is_told(floor: float, kept: bool) -> None:
    told = quality.language("ru", 0.42, Settings(min_language_confidence=floor))
    assert told == (None if kept else "ru with confidence 0.42, 0.5 is asked for")


def test_the_verdict_names_the_rule_and_what_it_saw() -> None:
    assert quality.judge("short", SETTINGS) == ("too_short", "5 characters (CJK count 3), 200 are asked for")
    assert quality.judge(EN, SETTINGS) is None


def test_equal_pages_normalise_to_equal_text() -> None:
    assert normalise("\ufeffCafe\u0301  \r\nb\x00\t\r\r\r\n\n\nc\n") == "Café\nb\n\nc"
    assert normalise("a\n\n\nb") == "a\n\n\nb"


@pytest.mark.parametrize("text", ["", "\n\n", "\x00" * 9, " " * 5000, "a\n" * 5000, "。" * 5000, "((((" * 4000])
def test_no_text_makes_a_rule_raise(text: str) -> None:
    assert quality.judge(normalise(text), SETTINGS)


# Labelled texts: what is refused, and what of unusual form stays


class Labelled(NamedTuple):
    """A text with its kind and language."""

    kind: str
    language: str
    text: str


def labelled(name: str) -> list[Labelled]:
    rows = yaml.safe_load(Path(__file__).with_name(f"{name}.yaml").read_text(encoding="utf-8"))
    return [Labelled(kind, language, normalise(text)) for kind, language, text in rows]


def test_of_pages_with_nothing_to_read_one_is_kept() -> None:
    kept = [(one.kind, one.language) for one in labelled("junk") if quality.judge(one.text, SETTINGS) is None]
    assert kept == [("parked", "en")]


@pytest.mark.parametrize("one", labelled("good"), ids=lambda one: f"{one.kind}-{one.language}")
def test_a_text_of_unusual_form_is_kept(one: Labelled) -> None:
    assert quality.judge(one.text, SETTINGS) is None


def test_what_stands_in_quotation_marks_is_said_of_a_notice_not_by_it() -> None:
    said = "We use cookies to improve your experience. Accept all or reject all."
    around = "The judge read this aloud twice, and then asked the owner of the shop whether anybody had ever read it. "
    assert notices.notice(f"{said} {around}{said} ", SETTINGS)
    assert notices.notice(f'"{said}" {around}"{said}" ', SETTINGS) is None


@pytest.mark.parametrize(("ends", "kept"), [("700", False), ("1987", True)])
def test_numbers_at_the_ends_of_lines_are_prices_but_years_are_not(ends: str, kept: bool) -> None:
    text = "\n".join(f"{name} table lamp, brass {ends}" for name in ("Anna", "Berta", "Clara", "Dora", "Emma"))
    assert (machine.price_list(text, SETTINGS) is None) is kept


# Thresholds


def test_a_rule_is_turned_off() -> None:
    text = "Ask our roofer in York about slates. " * 20
    assert quality.judge(text, SETTINGS) is not None
    assert quality.judge(text, Settings(quality={"repeated_phrases": "off", "stuffed": "off"})) is None


def test_a_threshold_is_set() -> None:
    reason = quality.judge(EN, Settings(quality={"mostly_symbols.letters": 0.99}))
    assert reason is not None
    assert reason[0] == "mostly_symbols"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"meni": "off"}, "there is no rule meni; did you mean menu?"),
        ({"menu.word": 3}, "the thresholds of menu are: sentences, words, joining, joining_cjk"),
        ({"too_large.size": 3}, "the thresholds of too_large are: none"),
        ({"menu": 3}, "write menu=off, or menu.THRESHOLD=NUMBER"),
        ({"menu.words": "off"}, "a threshold is a number"),
    ],
)
def test_a_rule_or_threshold_that_there_is_not_is_an_error(given: dict[str, float | str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        quality.check(Settings(quality=given))


def test_the_order_in_which_thresholds_are_given_is_nothing() -> None:
    one, other = Settings(quality={"spam": "off", "menu": "off"}), Settings(quality={"menu": "off", "spam": "off"})
    assert one.model_dump_json() == other.model_dump_json()


@pytest.mark.parametrize("rule", rules("document").values(), ids=lambda rule: rule.name)
def test_every_threshold_says_what_it_is(rule: Rule) -> None:
    assert all(told and isinstance(default, int | float) for default, told in rule.thresholds.values())


# Hostile text


@pytest.mark.parametrize(
    "part",
    [" ", "<", "a", "a b ", "的", ". ", "a\n", "1:", '":', "0a", "$1 ", "a.", "at a.", "#1 ", "\ud800", "[1.", "A "],
)
def test_a_megabyte_of_anything_is_judged_in_a_second(part: str) -> None:
    text = part * (1_000_000 // len(part))
    started = time.perf_counter()
    for rule in rules("document").values():
        rule(text, SETTINGS)
    assert time.perf_counter() - started < 3  # 0.3 s on a slow core


@given(st.text(max_size=400))
def test_any_text_is_judged(text: str) -> None:
    quality.judge(text * 3, SETTINGS)


def test_a_long_text_is_looked_at_from_its_beginning() -> None:
    assert len(look(EN * 100).text) == LOOKED_AT
    assert len(look(ZH * 200).text) == LOOKED_AT // 3
