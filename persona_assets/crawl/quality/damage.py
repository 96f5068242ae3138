"""Whether a text is one, whole and long enough: size, binary files, wrong character sets, length."""

import re
from typing import Annotated

from persona_assets.crawl.quality.look import CJK, CJK_WEIGHT
from persona_assets.rules.registry import rule
from persona_assets.settings import Settings
from persona_assets.text.mojibake import garbled

_BAD = re.compile(r"[\ufffd\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ue000-\uf8ff]")
_BINARY = re.compile(
    r"[\ufffd\x89‰]PNG\r?\n|GIF8[79]a|%PDF-\d|PK\x03\x04|\x7fELF|[\s\S]{2,8}(?:JFIF|Exif)[\x01-\x08\ufffd]|wOF[F2]"
)


def is_binary(text: str) -> re.Match[str] | None:
    """What shows that a text is a binary file, if it is."""
    return _BINARY.match(text.lstrip()[:64])


@rule("document")
def too_large(text: str, settings: Settings) -> str | None:
    """More characters than a record may have bytes."""
    limit = settings.max_document_bytes
    return f"{len(text)} characters, the limit is {limit}" if len(text) > limit else None


@rule("document")
def not_text(text: str, settings: Settings) -> str | None:
    """An image or another binary file that was decoded as text."""
    found = is_binary(text)
    return f"begins like a binary file: {found[0][:8]!r}" if found else None


@rule("document")
def undecodable(
    text: str,
    settings: Settings,
    *,
    bad: Annotated[float, "share of replacement and control characters"] = 0.01,
) -> str | None:
    """Replacement characters, controls, or text decoded under the wrong charset."""
    size = max(len(text), 1)
    wrong = len(_BAD.findall(text))
    if wrong > bad * size:
        return f"{wrong} of {size} characters are replacement or control characters"
    return garbled(text)


@rule("document")
def too_short(text: str, settings: Settings) -> str | None:
    """Fewer characters than asked for, white space left out and Chinese, Japanese and Korean ones counted threefold."""
    limit = settings.min_characters
    if len(text) > 2 * limit and text.count(" ") + text.count("\n") < len(text) - limit:
        return None  # surely long enough, without counting exactly
    size = weighted_length(text)
    return f"{size} characters (CJK count {CJK_WEIGHT}), {limit} are asked for" if size < limit else None


def weighted_length(text: str) -> int:
    """Characters without white space, a CJK one counting as `CJK_WEIGHT`."""
    return len("".join(text.split())) + (CJK_WEIGHT - 1) * (0 if text.isascii() else len(CJK.findall(text)))
