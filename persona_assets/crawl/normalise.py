"""One form for all text, so that equal pages get equal digests."""

import re
import unicodedata

from persona_assets.crawl.items import Found

_LINE_ENDS = ("\r\n", "\r", "\u2028", "\u2029", "\x85")
_NEVER_TEXT = ("\x00", "\ufeff")
_BLANKS = " \t\xa0\u3000"
_BLANK_LINES = re.compile(r"\n{4,}")


def normalise(text: str) -> str:
    """NFC, lines closed by a newline, no trailing blanks, no run of three or more blank lines, no NUL or BOM.

    Linear in the text: a pattern for trailing blanks would be quadratic in a long run of spaces.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    for sign in _NEVER_TEXT:
        text = text.replace(sign, "")
    for sign in _LINE_ENDS:
        text = text.replace(sign, "\n")
    text = "\n".join([line.rstrip(_BLANKS) for line in text.split("\n")])
    return _BLANK_LINES.sub("\n\n", text).strip("\n")


def text_of(found: Found) -> str:
    """The text of a record in this form; that of a persona on one line, with single spaces, as all personas are."""
    text = normalise(found.text)
    return " ".join(text.split()) if found.kind == "persona" else text
