"""Bytes of pages to text: what is declared, what the bytes bear out, and mojibake, which is set aside."""

import time
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from benchmarks import charsets
from persona_assets.crawl.page import text_of
from persona_assets.text.charset import Decoded, decode
from persona_assets.text.charset_labels import detected, named, read, utf8_share, written
from persona_assets.text.mojibake import garbled, look, misread

CASES = charsets.load()
TEXTS: dict[str, str] = CASES["texts"]
RIGHT_SETS = (
    *(("en", "windows-1252"), ("en", "utf-8"), ("en", "utf-16"), ("ru", "windows-1251"), ("ru", "koi8-r")),
    *(("ru", "iso-8859-5"), ("ru", "ibm866"), ("ru", "utf-8"), ("zh", "gb2312"), ("zh", "gb18030"), ("zh", "utf-8")),
    *(("hant", "big5"), ("ja", "shift_jis"), ("ja", "euc-jp"), ("ja", "iso-2022-jp"), ("ko", "euc-kr")),
    *(("pl", "iso-8859-2"), ("cs", "windows-1250"), ("el", "iso-8859-7"), ("tr", "iso-8859-9"), ("th", "windows-874")),
    *(("he", "windows-1255"), ("ar", "windows-1256"), ("fr", "iso-8859-1"), ("fr", "cp850")),
)


def name(case: dict[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in case.items())


def told(body: bytes, content_type: str = "") -> str:
    found = decode(body, content_type)
    assert isinstance(found, Decoded), found
    return found.text


@pytest.mark.parametrize("case", CASES["pages"], ids=name)
def test_pages_declared_wrongly_or_not_at_all_are_read_in_their_own_letters(case: dict[str, str]) -> None:
    body, content_type, text = charsets.page_of(case, TEXTS)
    assert told(body, content_type) == text


@pytest.mark.parametrize("case", CASES["garbled"], ids=name)
def test_text_read_in_another_set_is_set_aside(case: dict[str, Any]) -> None:
    assert garbled(charsets.garbled_of(case, TEXTS))


@pytest.mark.parametrize("language", sorted(TEXTS))
def test_sound_text_is_not_garbled(language: str) -> None:
    assert garbled(TEXTS[language]) is None
    assert garbled(TEXTS[language].upper()) is None


@pytest.mark.parametrize(
    "text",
    [
        "Il prezzo è di 20 € + IVA; l’offerta «natale» vale fino al 31/12 – più di 3½ m² per 5°C.",
        "В кафе «Café Пушкинъ» подают latte, espresso и чай за 300₽; адрес: ул. Тверская, д. 26А, тел. №5.",
        "我用Python写了一个程序，在iPhone手机上看YouTube视频，T恤和X光片都在这里。" * 4,
        "Μετρήσαμε 5 µm και Δx = 3 μm στο α-helix του DNA.",
        "Tāpēc ka šī ir ļoti īsa rinda — “jā”, viņš teica… un aizgāja.",
        "┌────┬────┐\n│ имя │ год │\n├────┼────┤\n│ Анна │ 1990 │\n└────┴────┘ " * 3,
        "Der Ärztetag in Ölbronn: »Übung macht den Meister« – 50 % mehr für Öl, Äpfel & Überraschungen.",
        "Zażółć gęślą jaźń, a żółty żółw śpi.",
        "NASA ja jäääär ja õuuõhk ning öö, pääöljy, hääyöaie.",
    ],
)
def test_signs_mixed_scripts_and_rare_runs_are_not_garbled(text: str) -> None:
    assert garbled(text) is None


def test_a_slip_in_a_long_text_does_not_cost_it() -> None:
    assert garbled(TEXTS["plain"] * 30 + " It donâ€™t matter, they canâ€™t tell, it isnâ€™t so.") is None
    assert garbled("It donâ€™t matter, they canâ€™t tell, it isnâ€™t so.")


@pytest.mark.parametrize(("language", "label"), RIGHT_SETS)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_what_is_declared_rightly_is_read_in_it(language: str, label: str, data: st.DataObject) -> None:
    known = named(label)
    assert known
    text = read(written(TEXTS[language], known), known)
    start = data.draw(st.integers(0, len(text) // 2))
    piece = "<p>" + text[start : start + data.draw(st.integers(60, 300))]
    assume(not piece.isascii())
    assert told(written(piece, known), f"text/html; charset={label}") == piece
    page = f'<meta charset="{label}">{piece}'
    assert label == "utf-16" or told(written(page, known)) == page


@given(
    st.text(st.characters(exclude_categories=("Cc", "Cs"))), st.sampled_from(["", "charset=iso-8859-1", "charset=gbk"])
)
@example("Ã©" * 9, "charset=iso-8859-1")
@example("\ufffd", "")
def test_sound_utf8_comes_back_as_it_was(text: str, content_type: str) -> None:
    assume(not text.startswith("\ufeff"))
    found = decode(text.encode(), f"text/plain; {content_type}")
    assert found == Decoded(text, "utf-8")


@given(st.binary() | st.binary(min_size=200, max_size=2000), st.text(max_size=40).map("text/html; charset={}".format))
@example(b"\xff\xfe\x00", "")
@example(b"\x1b$B\xff", "text/html; charset=iso-2022-jp")
@example(b"\xe9", "text/html; charset=unicode_escape")
@example(b"~{\x7f\x7f~}", "text/html; charset=hz-gb-2312")
def test_no_bytes_and_no_declaration_raise(body: bytes, content_type: str) -> None:
    found = decode(body, content_type)
    assert isinstance(found, Decoded) or found[0] == "undecodable"


@given(st.text(max_size=300))
def test_no_text_raises(text: str) -> None:
    assert 0 <= look(text).share <= 1
    assert garbled(text) is None or not text.isascii()


def test_noise_is_refused_and_the_refusal_names_what_was_tried() -> None:
    noise = bytes(128 + (n * n * 7 + n * 13) % 128 for n in range(3000))
    reason, detail = decode(noise, "text/html; charset=windows-1251")  # type: ignore[misc]
    assert reason == "undecodable"
    assert "windows-1251" in detail


@pytest.mark.parametrize(
    ("label", "known"),
    [
        ("Latin1", "windows-1252"),
        ("us-ascii", "windows-1252"),
        ("GB2312", "gbk"),
        ("x-sjis", "shift_jis"),
        ("ks_c_5601-1987", "euc-kr"),
        ("iso-8859-9", "windows-1254"),
        ("TIS-620", "windows-874"),
        ("cp866", "ibm866"),
        ("koi8-ru", "koi8-u"),
        ("x-user-defined", "windows-1252"),
        ("unicode-1-1-utf-8", "utf-8"),
        ("cp850", "cp850"),
        ("rot13", None),
        ("unicode_escape", None),
        ("utf-7", None),
        ("iso-2022-cn", None),
        ("no such set", None),
    ],
)
def test_labels_mean_what_they_do_in_browsers(label: str, known: str | None) -> None:
    assert named(label) == known


@pytest.mark.parametrize("language", ["en", "ru", "zh"])
def test_the_set_is_told(language: str) -> None:
    known = {"en": "windows-1252", "ru": "koi8-r", "zh": "gbk"}[language]
    found = decode(written(TEXTS[language], known), f"text/html; charset={known}")
    assert isinstance(found, Decoded)
    assert found.charset == known


@pytest.mark.parametrize(
    "declaration",
    [
        '<meta http-equiv="Content-Type" content="text/html; charset=windows-1251">',
        "<META CHARSET=cp1251>",
        '<?xml version="1.0" encoding="windows-1251"?>',
        '<!-- <meta charset="koi8-r"> --><meta charset="windows-1251">',
    ],
)
def test_declarations_within_the_page_are_found(declaration: str) -> None:
    found = decode(f"{declaration}<p>Тут".encode("cp1251"))  # too few letters for the detector to be believed
    assert isinstance(found, Decoded)
    assert (found.charset, "Тут" in found.text) == ("windows-1251", True)


@pytest.mark.parametrize("content_type", ["", "text/html; charset=utf-8", "text/html; charset=windows-1252"])
@pytest.mark.parametrize(
    "said", ["It costs £5 – or €6.", "Le café est bon.", "Málaga", "100 °C", "© 2020 Müller", "“quoted” text’s"]
)
def test_a_few_western_signs_in_a_page_are_read_as_such(said: str, content_type: str) -> None:
    page = f"<p>The ship left on Monday and nobody has seen it since. {said}</p>"
    assert told(page.encode("cp1252"), content_type) == page


def test_a_byte_order_mark_is_believed_and_left_out() -> None:
    for mark in ("utf-8-sig", "utf-16", "utf-32"):
        assert told(TEXTS["ru"].encode(mark), "text/html; charset=windows-1251") == TEXTS["ru"]


def test_utf8_cut_within_a_character_and_with_one_bad_byte_is_utf8() -> None:
    body = TEXTS["ru"].encode()
    assert told(body[:-2] + body[-2:-1], "text/html; charset=windows-1251").startswith("Каждое утро")
    assert told(body[:50] + b"\xff" + body[50:]).count("\ufffd") == 1


def test_wide_text_without_a_mark_is_no_binary_file() -> None:
    page = f"<html><body><article><p>{TEXTS['ru']}</p><p>{TEXTS['ru']}</p></article></body></html>"
    found = text_of(page.encode("utf-16-le"), "text/html", 1 << 20)
    assert "Каждое утро Ирина Петровна" in str(found)


def test_a_page_that_no_set_reads_is_refused() -> None:
    noise = b"<html><body><p>" + bytes(128 + (n * n * 7 + n * 13) % 128 for n in range(3000))
    refusal = text_of(noise, "text/html", 1 << 20)
    assert isinstance(refusal, tuple)
    assert refusal[0] == "undecodable"


def test_the_detector_and_what_is_written_back_name_the_sets() -> None:
    assert detected(TEXTS["ru"].encode("koi8-r", "ignore")) == "koi8-u"
    assert misread(TEXTS["ru"].encode("koi8-r", "ignore").decode("cp1251")) == ("windows-1251", "koi8-u")
    assert misread(TEXTS["ja"].encode().decode("gbk", "ignore")) == ("gb18030", "utf-8")
    assert utf8_share("до\xe9".encode("latin-1", "ignore") + "да".encode()) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "text", ["a" * 400_000 + "é", "é" * 400_000, "aé" * 200_000, ("Ã" * 999 + " ") * 400, "<" * 400_000 + "é"]
)
def test_time_does_not_grow_with_what_a_page_is_made_of(text: str) -> None:
    started = time.process_time()
    decode(text.encode("latin-1"), "text/html; charset=windows-1251")
    garbled(text)
    assert time.process_time() - started < 2


def test_the_figures_name_what_is_measured() -> None:
    found = charsets.figures()
    assert found["pages, ours"] == (len(CASES["pages"]),) * 2
    assert found["pages, charset-normalizer"][0] < found["pages, ours"][0]


@pytest.mark.parametrize("charset", ["utf-16-le", "utf-16-be"])
def test_english_in_wide_characters_is_no_ascii(charset: str) -> None:
    assert decode("The old miller walked down to the river.".encode(charset)) == Decoded(
        "The old miller walked down to the river.", charset.replace("-le", "le").replace("-be", "be")
    )


def test_a_zero_that_ends_a_short_text_makes_no_wide_characters_of_it() -> None:
    assert decode(b"The mill.\0") == Decoded("The mill.\0", "utf-8")
