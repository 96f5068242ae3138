"""Texts of pages, models and people made safe to show: what would drive a terminal, reorder or hide is seen itself."""

import re

# Controls; what reorders text; what cannot be seen; halves of surrogate pairs, which no file takes. Joiners and
# variation selectors stay: emoji and words of some scripts need them, and they do nothing else.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
# What Markdown takes for markup or a link: not an underscore within a name, nor a tilde before a figure.
_MARKUP = re.compile(r"[\\`*\[\]<>|&@]|(?<![^\W_])_|_(?![^\W_])|~(?!\d)|:(?=//)|(?<=www)\.")

_LIST = re.compile(r"^(\s?\d*)([-+=#]|(?<=\d)[.)](?=\s|$))")  # where a line begins so


def plain(text: str) -> str:
    """`text` with control, reordering and invisible characters escaped, as backslash x1b; line ends and tabs stay."""
    return _HIDDEN.sub(lambda found: found.group().encode("unicode_escape").decode("ascii"), text)


def one_line(text: str, limit: int = 0) -> str:
    """`text` on one line, safe to show, at most `limit` characters where there is a limit."""
    line = plain(" ".join(text.split()))
    return line if not limit or len(line) <= limit else line[: limit - 1] + "…"


def code_span(text: str) -> str:
    """A code span of Markdown that its text can neither end nor carry over into another cell of a table."""
    line = one_line(text).replace("`", "'").replace("|", "¦")
    return f"`{line}`" if line else ""


def escaped(text: str) -> str:
    """`text` on one line as words in Markdown, without markup."""
    line = _MARKUP.sub(r"\\\g<0>", plain(re.sub(r"\s+", " ", text)))
    return _LIST.sub(r"\1\\\2", line)


def escaped_json(text: str) -> str:
    """The same JSON with the hidden characters of its strings escaped."""
    return _HIDDEN.sub(lambda found: "".join(f"\\u{unit:04x}" for unit in _units(found.group())), text)


def _units(char: str) -> tuple[int, ...]:
    """The UTF-16 units of a character."""
    code = ord(char) - 0x10000
    return (ord(char),) if code < 0 else (0xD800 + (code >> 10), 0xDC00 + (code & 0x3FF))
