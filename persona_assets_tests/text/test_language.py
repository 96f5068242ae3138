import re

import pytest

from persona_assets.text.language import LANGUAGE_NAMES, identify
from persona_assets_tests.crawl.conftest import EN, RU, ZH


def test_english_russian_and_chinese_are_told_apart_with_confidence() -> None:
    found = identify([EN, RU, ZH])
    assert [code for code, _ in found] == ["en", "ru", "zh"]
    assert all(0.8 < confidence <= 1 for _, confidence in found)


@pytest.mark.parametrize(
    "text", ["這是一個繁體中文的句子，用來測試。", "佢哋喺度食緊飯，我唔知點解", "侬好，阿拉上海人"]
)
def test_every_kind_of_chinese_is_zh(text: str) -> None:
    assert identify([text])[0][0] == "zh"


@pytest.mark.parametrize("text", ["", " \n\t", "123 456 --- $", "😀 😀"])
def test_text_without_letters_is_undetermined(text: str) -> None:
    assert identify([text]) == [("und", 0.0)]


def test_hostile_text_is_answered(text: str = "\x00 \ud800 __label__en\r\u2028 слово " * 3) -> None:
    assert len(identify([text])) == 1


def test_a_foreign_head_does_not_decide_for_a_long_text() -> None:
    assert identify(["首页 登录 注册 " * 20 + RU * 20])[0][0] == "ru"


def test_an_answer_does_not_depend_on_its_neighbours() -> None:
    assert identify([EN, ZH]) == [identify([EN])[0], identify([ZH])[0]]


def test_names_are_english_and_codes_lower_case() -> None:
    assert (LANGUAGE_NAMES["en"], LANGUAGE_NAMES["zh"], LANGUAGE_NAMES["ru"]) == ("English", "Chinese", "Russian")
    assert all(re.fullmatch("[a-z]{2,3}", code) for code in LANGUAGE_NAMES)


@pytest.mark.parametrize(
    "text",
    [
        "Адӕймагӕн йӕ сӕрмӕ ис бартӕ ӕмӕ сӕрибар, ӕмӕ сӕ ничи хъуамӕ байса. Хӕхтӕ бӕрзонд сты, дӕттӕ тагъд цӕуынц.",
        "Иле нгацекы тэнзʼ ӈэвта ӈод нгарка пирсавна соямариханта. Нгэрмʼ ямʼ тер нгани хибяри тамна ябдоласеты сава.",
    ],
    ids=["Ossetian", "Nenets"],
)
def test_letters_that_russian_lacks_make_a_text_no_russian(text: str) -> None:
    assert identify([text * 3]) == [("und", 0.0)]


def test_a_name_in_its_own_spelling_leaves_a_text_russian() -> None:
    assert identify([RU * 2 + " Об этом писала газета «Україна молода»."])[0][0] == "ru"


@pytest.mark.parametrize(
    "text",
    [
        "山馆无人夜雨频\n孤灯照壁影相亲\n书来每问平安字\n梦去犹逢少小身",
        "番茄炒蛋\n鸡蛋3个\n番茄2个\n葱花少许\n盐适量\n糖1茶匙",
    ],
)
def test_chinese_characters_without_kana_are_not_japanese(text: str) -> None:
    [(code, _)] = identify([text])
    assert code == "zh"
