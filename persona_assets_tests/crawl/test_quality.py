import pytest

from persona_assets.crawl import quality
from persona_assets.crawl.normalise import normalise
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
    assert (quality.too_short(text, SETTINGS) is None) is kept


def test_white_space_does_not_make_a_text_long() -> None:
    assert quality.too_short("a" + " \n" * 1000, SETTINGS)


def test_more_characters_than_the_limit_are_too_large() -> None:
    assert quality.too_large("a" * 1001, Settings(max_document_bytes=1000))


@pytest.mark.parametrize(
    "text", ["\ufffdPNG\n\x1a\n\0\rIHDR", "‰PNG\n", "GIF89a\x01", "%PDF-1.7\nstream", "\x7fELF\x02"]
)
def test_binary_files_decoded_as_text_are_named(text: str) -> None:
    assert quality.not_text(text, SETTINGS)


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
    assert quality.undecodable(text, SETTINGS)


@pytest.mark.parametrize("text", ["Ça va très bien, n’est-ce pas ? « Où ça ? » dit-il — né en été." * 10, RU.upper()])
def test_accents_and_capitals_are_no_damage(text: str) -> None:
    assert quality.undecodable(text, SETTINGS) is None


@pytest.mark.parametrize("text", ["$$$ 12.50 | 99 | 7-4 | ### ==> " * 20, "0123456789" * 40])
def test_figures_and_signs_are_mostly_symbols(text: str) -> None:
    assert quality.mostly_symbols(text, SETTINGS)


def test_hindi_vowel_signs_count_as_letters() -> None:
    assert quality.mostly_symbols("नदी के किनारे एक पुरानी चक्की खड़ी है।" * 5, SETTINGS) is None


def test_boilerplate_that_comes_again_and_again_is_repeated_lines() -> None:
    assert quality.repeated_lines("\n".join(["Add to cart now", EN[:30]] * 8), SETTINGS)


def test_a_refrain_is_no_repetition() -> None:
    assert quality.repeated_lines("\n".join([EN, "la la", RU, "la la", "la la"]), SETTINGS) is None


@pytest.mark.parametrize("text", ["Home\nAbout us\nContact\n" * 10, "v1.2.3 and a.b.c", "首页\n联系我们\n。\n"])
def test_menus_have_no_sentence(text: str) -> None:
    assert quality.no_sentence(text, SETTINGS)


@pytest.mark.parametrize(
    "text", ["He said that it works.", "今天的天气非常好，我们去公园。", "Это простое длинное предложение!", "ก" * 40]
)
def test_one_sentence_is_enough(text: str) -> None:
    assert quality.no_sentence(text, SETTINGS) is None


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
