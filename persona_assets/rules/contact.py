"""Contact data in a sample: what leads to somebody, other than what leads to nobody or is what the sample is about."""

import re
from functools import cache

import regex  # the patterns use classes of letters that the standard library lacks

from persona_assets.rules.identifiers import CHECKED_LIKE, checked_number, contact_patterns
from persona_assets.rules.patterns import pattern

# Hosts that RFC 2606 and 6761 reserve, as the whole end of a host, and 555-01xx, which is kept free for fiction.
_RESERVED = regex.compile(
    r"(?:@|//|^\W*(?:www\.)?)(?:[\w-]+\.)*(?:example\.(?:com|org|net|edu)|example|test|invalid|localhost)"
    r"(?=[/:?#\s,;)\]]|\.?$)|555[\s.-]?01\d\d",
    regex.IGNORECASE,
)
_LIKE = re.compile(r"@|\d|://|www\.|\w/\w|\(at\)|\[at\]|微信|weixin|wechat", re.IGNORECASE)  # what none can do without
_KNOWN_HOST = re.compile(
    r"//[\w.-]*(?:wikipedia|wikimedia|github|gitlab|stackoverflow|arxiv|readthedocs)\.\w+", re.IGNORECASE
)
_SUBJECT_REACH = 160  # characters before a link within which a text says what it is about


@cache
def _kinds() -> tuple[tuple[str, regex.Pattern[str]], ...]:
    return tuple((kind, regex.compile(one)) for kind, one in contact_patterns())


@cache
def _checked() -> regex.Pattern[str]:
    return regex.compile(CHECKED_LIKE)


def contact_in(text: str) -> str | None:
    """The kind of the first piece of contact data in a text, or None: email, url, phone, handle, address, ..."""
    if not _LIKE.search(text):
        return None
    for kind, expression in _kinds():
        for found in expression.finditer(text):
            if _RESERVED.search(found.group(0)):
                continue
            if kind == "url" and _is_subject(text, found):
                continue
            return kind
    return checked_number(text) if _checked().search(text) else None


def _is_subject(text: str, link: "regex.Match[str]") -> bool:
    """Whether a text is about a link that stands in it, and sells nothing."""
    around = (
        f"{text[max(0, link.start() - _SUBJECT_REACH) : link.start()]} {text[link.end() : link.end() + _SUBJECT_REACH]}"
    )
    if _KNOWN_HOST.search(link.group(0)):
        return True
    return pattern("subject").search(around) is not None and pattern("shop").search(around) is None
