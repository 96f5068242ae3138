"""What is HTML, and HTML to a tree that extraction can take: without the few things that it stumbles over."""

import re
from collections import Counter
from functools import cache
from itertools import pairwise
from typing import Any

MAX_DEPTH = 250  # of elements; deeper lists and tables are an accident, whose text extraction repeats at every level
_MAX_COUNTED = MAX_DEPTH // 4  # of those that are counted in such a page: cells and the like stand between them

# What the parser or lxml cannot take: control characters, also as references, and `<html/>`, which ends the page.
_CONTROLS = bytes(sorted({*range(32)} - {*b"\t\n\r"}))
_CONTROL_REFERENCE = re.compile(
    rb"&#(?:0*(?:[1-8]|1[124-9]|2\d|3[01])|x0*(?:[1-8bcef]|1[0-9a-f]|fff[ef]))(?:;|(?![0-9a-f]))", re.I
)
_CLOSED_ROOT = re.compile(rb"(<html\b[^<>]{0,4096}?)/\s{0,64}>", re.I)
# An element with more attributes than any page means: the parser's time grows with the square of their number.
_MANY_ATTRIBUTES = re.compile(
    r"<([a-zA-Z][a-zA-Z0-9]{0,32})"
    r"(?:[\s/]++[^\s\"'<>=/]++(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s\"'<>]++))?+){1000,}+"
)

_NAMES = (
    "html|head|body|title|p|div|span|a|b|i|u|s|em|strong|small|big|font|center|br|hr|h[1-6]|ul|ol|li|dl|dt|dd|"
    "table|thead|tbody|tfoot|tr|td|th|caption|article|section|main|header|footer|nav|aside|figure|figcaption|img|"
    "blockquote|q|cite|pre|code|kbd|sub|sup|form|input|select|option|textarea|button|label|script|style|noscript|iframe"
)
# A tag of HTML: `a <b and c> d` is none, as nothing in it has a value.
_TAG = re.compile(rf"<(/?)({_NAMES})(?:\s[^<>=]{{0,256}}=[^<>]{{0,65536}})?\s{{0,64}}/?>", re.I)
_ANY_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:-]{0,64})(?:[\s/][^<>]*)?>")
_LINE_ENDS = re.compile(r"<br>(?:\s*<br>)+")
_VOID = frozenset(
    {"br", "hr", "img", "input", "meta", "link", "wbr", "col", "source", "area", "base", "embed", "track"}
)
_WITHOUT_TEXT = ("svg", "style", "link", "meta")  # extraction looks at each many times, and takes nothing from it
_OPEN_ENDED = frozenset({"p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "option"})
_INLINE = frozenset(
    {"a", "b", "i", "u", "s", "em", "strong", "small", "big", "font", "span", "q", "code", "sub", "sup"}
)

_START = re.compile(
    r"\ufeff?\s{0,1024}(?:<\?xml\b[^<>]{0,512}>\s{0,64}|<!--.{0,4096}?-->\s{0,64}|<!doctype\b[^<>]{0,512}>\s{0,64}){0,8}"
    r"(?:<!doctype\s{1,8}html\b|<(?:html|head|body)(?:\s[^<>]{0,4096})?>\s{0,1024}<)",
    re.I | re.DOTALL,
)
_START_CHARACTERS = 1 << 14
_CODE = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|`[^`\n]{1,512}`", re.DOTALL)
_BREAK = re.compile(r"<(?:(br|hr)|(p|li))\s{0,8}/?>", re.I)
_BEFORE_WORD = " \t\"'`([\u201c\u00ab"
_AFTER_WORD = " \t\n,.;:)]\"'`\u201d\u00bb"
MIN_SHARE = 0.5  # of a text, within elements
MIN_BREAKS = 3


def starts_html(body: bytes) -> bool:
    """Whether a body begins as a document of HTML, after a declaration of XML or comments."""
    return _START.match(body[:_START_CHARACTERS].removeprefix(b"\xef\xbb\xbf").decode("latin-1")) is not None


def has_tags(text: str) -> bool:
    """Whether a text has any tag of HTML."""
    return _TAG.search(text) is not None


def is_html(text: str) -> bool:
    """Whether a text of unknown kind is HTML: a document, or one most of whose letters stand within elements.

    A text stays a text that talks of `<div>`, shows markup as an example, has `a < b`, or a stray `<br>`.
    """
    if not has_tags(text):
        return False
    if _START.match(text[:_START_CHARACTERS]):
        return True
    prose = _CODE.sub("", text)
    return _share_within(prose) >= MIN_SHARE or _broken_into_lines(prose)


def _share_within(text: str) -> float:
    """The share of a text, tags left out, that stands between the start and the end of an element."""
    opened: list[tuple[str, int, int]] = []  # name, where it begins, and the length of all tags up to there
    names: Counter[str] = Counter()
    within: list[tuple[int, int]] = []  # outermost elements so far: where one begins, and the length of its text
    markup = 0
    for tag in _TAG.finditer(text):
        name, before = tag[2].lower(), markup
        markup += len(tag[0])
        if not tag[1]:
            if name not in _VOID and not _is_word(text, tag):
                opened.append((name, tag.end(), markup))
                names[name] += 1
        elif names[name]:
            last = ""
            while last != name:
                last, start, markup_there = opened.pop()
                names[last] -= 1
            while within and within[-1][0] >= start:
                within.pop()
            within.append((start, tag.start() - start - (before - markup_there)))
    return sum(length for _, length in within) / max(len(text) - markup, 1)


def _is_word(text: str, tag: re.Match[str]) -> bool:
    """Whether a tag is a word of a sentence, as in: a <div> element."""
    before, after = text[max(tag.start() - 1, 0) : tag.start()], text[tag.end() : tag.end() + 1]
    return before in _BEFORE_WORD and before != "" and after in _AFTER_WORD


def _broken_into_lines(text: str) -> bool:
    """Whether tags break the text into lines all over, as in comments and old mails."""
    closed = {name for name in ("p", "li") if f"</{name}>" in text.lower()}
    breaks = [
        tag.start() for tag in _BREAK.finditer(text) if not _is_word(text, tag) and (tag[2] or "").lower() not in closed
    ]
    if len(breaks) < MIN_BREAKS:
        return False
    return max(end - start for start, end in pairwise((0, *breaks, len(text)))) < MIN_SHARE * len(text)


# Trees


def parse(html: str) -> tuple[Any, bool]:
    """The tree of a page (an `lxml` element), and whether it was nested too deep and lost its deepest tags.

    An element of a thousand attributes or more loses them.

    Raises:
        lxml.etree.LxmlError: nothing is left to parse.
    """
    html = _MANY_ATTRIBUTES.sub(r"<\1", html)
    tree = _tree(html)
    if not _is_deep()(tree):
        return tree, False
    return _tree(_flattened(html)), True


def _tree(html: str) -> Any:  # noqa: ANN401 - lxml has no types
    from lxml.etree import strip_elements
    from lxml.html import document_fromstring

    data = html.encode("utf-8", "replace").translate(None, _CONTROLS)
    data = _CLOSED_ROOT.sub(rb"\1>", _CONTROL_REFERENCE.sub(b" ", data), count=1)
    tree = document_fromstring(data, parser=_parser())
    strip_elements(tree, *_WITHOUT_TEXT, with_tail=False)
    return tree


@cache
def _parser() -> Any:  # noqa: ANN401
    """A parser as trafilatura's own, but that it goes deeper, and has one class for all elements, which is faster."""
    from lxml import etree, html

    parser = html.HTMLParser(
        encoding="utf-8",
        collect_ids=False,
        default_doctype=False,
        remove_comments=True,
        remove_pis=True,
        huge_tree=True,
    )
    parser.set_element_class_lookup(etree.ElementDefaultClassLookup(element=html.HtmlElement))
    return parser


@cache
def _is_deep() -> Any:  # noqa: ANN401
    from lxml.etree import XPath

    return XPath("boolean(" + "/*" * MAX_DEPTH + ")")


def _flattened(html: str) -> str:
    """A page without the tags that are nested deepest; their text stays, one line for each that was a block."""
    opened: list[str] = []
    names: Counter[str] = Counter()

    def kept(tag: re.Match[str]) -> str:
        name = tag[2].lower()
        if name in _VOID or name in _OPEN_ENDED:
            return tag[0]
        deep = len(opened) > _MAX_COUNTED
        if not tag[1]:
            opened.append(name)
            names[name] += 1
        elif names[name]:
            last = ""
            while last != name:
                last = opened.pop()
                names[last] -= 1
            deep = len(opened) >= _MAX_COUNTED
        return tag[0] if not deep else "" if name in _INLINE else "<br>"

    return _LINE_ENDS.sub("<br>", _ANY_TAG.sub(kept, html))
