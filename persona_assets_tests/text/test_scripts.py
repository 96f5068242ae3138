import polars as pl
import pytest

from persona_assets.text.scripts import SCRIPTS, scripts_of


def script(text: str) -> str:
    return SCRIPTS[scripts_of(pl.Series([text], dtype=pl.String))[0]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A retired schoolteacher", "Latin"),
        ("Naïve café owner – “retired”, Ångström", "Latin"),
        ("研究唐代诗歌的大学生", "Chinese"),
        ("一位退休的小學女教師，常給報紙寫信", "Chinese"),
        ("Учитель математики из Казани", "Cyrillic"),
        ("Вчителька на пенсії", "Cyrillic"),
        ("地元新聞に手紙を書く退職した小学校教師", "Japanese"),
        ("은퇴한 초등학교 선생님", "Korean"),
        ("ครูประถมเกษียณ", "Thai"),
        ("معلم متقاعد", "Arabic"),
        ("Συνταξιούχος δασκάλα", "other"),
        ("वह एक शिक्षक है", "other"),
    ],
)
def test_a_text_has_the_script_of_most_of_its_letters(text: str, expected: str) -> None:
    assert script(text) == expected


@pytest.mark.parametrize("text", ["", " ", "🙂", "12345 …", "\u0301", "！？。"])
def test_a_text_without_letters_is_latin(text: str) -> None:
    assert script(text) == "Latin"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("一名使用TensorFlow和PyTorch的软件工程师", "Chinese"),
        ("iOS开发者", "Chinese"),
        ("Инженер, который пишет на Python и Rust для Google Cloud", "Cyrillic"),
        ("A fan of 三体 who writes long essays on Liu Cixin", "Latin"),
        ("A collector of matryoshka dolls who signs her letters with Ж", "Latin"),
    ],
)
def test_names_in_another_script_do_not_decide(text: str, expected: str) -> None:
    assert script(text) == expected


def test_a_kana_in_a_chinese_name_does_not_make_it_japanese() -> None:
    assert script("奈の良品爱好者，喜欢日式家居和木工") == "Chinese"


def test_a_text_has_its_script_whatever_stands_beside_it() -> None:
    texts = ["A baker", "护士", "Повар", "", "教師です", "A nurse"]
    together = scripts_of(pl.Series(texts)).tolist()
    assert together == [scripts_of(pl.Series([text]))[0] for text in texts]
    assert scripts_of(pl.Series([], dtype=pl.String)).tolist() == []
