"""Checkers of the form of an answer: lists, headings, tables, JSON, Markdown, marks around it."""

import json
import re

from persona_assets.constraints.blocks import items, lines, paragraphs, sections, tables, titles
from persona_assets.constraints.checked import Asked, checks, counted
from persona_assets.constraints.words import folded, normal, word_list
from persona_assets.errors import UsageError

_FENCED = re.compile(r"\s*(?:```|~~~)[\w-]{0,20}[ \t]*\n(.*)\n[ \t]*(?:```|~~~)\s*", re.DOTALL)
# Each repeat is bounded and stops at the mark it looks for, so an unclosed one takes no time squared.
_STRONG = re.compile(r"\*\*(?=\S)([^*\n]{1,300})(?<=\S)\*\*|__(?=\S)([^_\n]{1,300})(?<=\S)__")
_NEAR = (
    "A-Za-z0-9\u0400-\u04ff"  # beside an asterisk they make it a sign of multiplication; Chinese has no spaces there
)
_EMPHASIS = re.compile(
    rf"(?<![*\\{_NEAR}])\*(?=[^\s*])([^*\n]{{1,300}})(?<=[^\s*])\*(?![*{_NEAR}])"
    r"|(?<![_\\\w])_(?=[^\s_])([^_\n]{1,300})(?<=[^\s_])_(?![_\w])"
)
_CODE_OR_LINK = re.compile(r"`[^`\n]{1,300}`|!?\[[^\[\]\n]{1,300}\]\([^()\s]{1,300}\)")
_LIST = re.compile(r"^[ \t]{0,40}(?:[-*+]|\d{1,2}[.)])[ \t]+\S", re.MULTILINE)  # other marks are plain text
_PLACEHOLDER = re.compile(r"\[([^\[\]\n]{1,120})\](?![(\[:])")
_TICK_BOX = re.compile(r"^[ \t]{0,40}[-*+][ \t]{1,9}\[[ xXхХ]\]", re.MULTILINE)
_MARKER_SKIPS = r"[\s.:]{0,3}"
_OPENING, _CLOSING = "“«„「『‟", "”»」』"
_MARKUP = " \t\n*_"


@checks("bullets")
def bullets(asked: Asked) -> str | None:
    """The bulleted lists have exactly n points of the outermost level in all."""
    return _items(asked, items(asked.answer, "bullet"), "bullet point", "bullet points")


@checks("numbered")
def numbered(asked: Asked) -> str | None:
    """The numbered lists have exactly n points of the outermost level in all."""
    return _items(asked, items(asked.answer, "number"), "numbered point", "numbered points")


def _items(asked: Asked, count: int, one: str, many: str) -> str | None:
    return f"has {counted(count, one, many)}, exactly {asked.n} wanted" if count != asked.n else None


@checks("title")
def title(asked: Asked) -> str | None:
    """Something stands in double angle brackets."""
    return None if any(word_list(one) for one in titles(asked.answer)) else "has no title in double angle brackets"


@checks("sections")
def exact_sections(asked: Asked) -> str | None:
    """There are n headings of one level, each with text below it; a heading over all of them is none of them."""
    found = sections(asked.answer)
    levels = {level for level, _, _ in found}
    fitting = [level for level in sorted(levels) if sum(1 for one in found if one[0] == level) == asked.n]
    if not fitting and len(found) != asked.n:
        return f"has {counted(len(found), 'heading', 'headings')}, exactly {asked.n} sections wanted"
    empty = [told for level, told, full in found if not full and (not fitting or level == fitting[0])]
    return f"has no text under the heading “{empty[0][:80]}”" if empty else None


@checks("json_object")
def json_object(asked: Asked) -> str | None:
    """The whole is one JSON object, in a code fence or not, whose keys are those that were given."""
    fenced = _FENCED.fullmatch(asked.answer)
    try:
        found = json.loads(fenced[1] if fenced else asked.answer, strict=False)
    except (ValueError, RecursionError):
        return "is not JSON and nothing else"
    if not isinstance(found, dict):
        return "is JSON, but no object"
    wanted = set(asked.texts("keys"))
    if lacking := sorted(wanted - set(found)):
        return f"lacks the key “{lacking[0]}”"
    more = sorted(set(found) - wanted)
    return f"has the key “{more[0][:80]}”, which was not asked for" if more else None


@checks("table")
def table(asked: Asked) -> str | None:
    """There is a Markdown table with a row below its header, and every row of every table has n cells."""
    found = tables(asked.answer)
    if not found:
        return "has no Markdown table"
    if wrong := [cells for one in found for cells in one if cells != asked.n]:
        return f"has a table row of {counted(wrong[0], 'cell', 'cells')}, {asked.n} columns wanted"
    return None if all(len(one) > 1 for one in found) else "has a table without rows"


@checks("no_markdown")
def no_markdown(asked: Asked) -> str | None:
    """No heading, list, table, rule, code, emphasis or link in Markdown."""
    for line in lines(asked.answer):
        if line.kind in ("heading", "rule", "fence"):
            return f"has a {line.kind} of Markdown"
    if _LIST.search(asked.answer):
        return "has a list in Markdown"
    if tables(asked.answer):
        return "has a Markdown table"
    for found, told in ((_STRONG, "bold type"), (_EMPHASIS, "italics"), (_CODE_OR_LINK, "code or a link")):
        if found.search(asked.answer):
            return f"has {told} in Markdown"
    return None if word_list(asked.answer) else "has no word at all"


@checks("highlights")
def highlights(asked: Asked) -> str | None:
    """At least n phrases in bold or italics."""
    rest, bold = _STRONG.subn(" ", asked.answer)
    count = bold + len(_EMPHASIS.findall(rest))
    told = counted(count, "highlighted phrase", "highlighted phrases")
    return f"has {told}, at least {asked.n} wanted" if count < asked.n else None


@checks("postscript")
def postscript(asked: Asked) -> str | None:
    """A line of the last paragraph begins with the marker and says something, there or on the next line."""
    marker = [re.escape(one) for one in folded(asked.text("marker")) if one.isalnum()]
    begins = re.compile(rf"[\W_]{{0,9}}{_MARKER_SKIPS.join(marker)}(?![^\W_])")
    found = paragraphs(asked.answer)
    last = found[-1].split("\n") if found else []
    if len(found) > 1 and len(last) == 1 and begins.fullmatch(folded(found[-2]).rstrip(" .:*_-")):
        return None  # the marker as a heading of its own
    for place, line in enumerate(last):
        if mark := begins.match(folded(line)):
            said = folded(line)[mark.end() :] + " ".join(last[place + 1 :])
            return None if word_list(said) else "has a postscript that says nothing"
    return f"does not end with a postscript that begins with “{asked.text('marker')}”"


@checks("repeats_request")
def repeats_request(asked: Asked) -> str | None:
    """It begins with the request, word for word, and goes on."""
    request = " ".join(word_list(asked.request))
    if not request:
        raise UsageError("constraints: repeats_request: the request is missing; give it with the answer")
    answer = " ".join(word_list(asked.answer[: 4 * len(asked.request) + 1000]))
    if not answer.startswith(request) or answer[len(request) : len(request) + 1].strip():
        return "does not begin with the request, word for word"
    return None if answer[len(request) :].strip() else "repeats the request and does not answer it"


@checks("one_of")
def one_of(asked: Asked) -> str | None:
    """It is one of the options, with marks around it or not."""
    words = [word.casefold() for word in word_list(asked.answer)]
    options = [[word.casefold() for word in word_list(one)] for one in asked.texts("options")]
    return None if words in options else f"is “{asked.answer.strip()[:80]}”, none of the options"


@checks("placeholders")
def placeholders(asked: Asked) -> str | None:
    """At least n places to fill in stand in square brackets; links and numbers of notes are none."""
    text = _TICK_BOX.sub("", normal(asked.answer))
    count = sum(1 for one in _PLACEHOLDER.findall(text) if re.search(r"[^\W\d_]", one))
    told = counted(count, "placeholder", "placeholders")
    return f"has {told} in square brackets, at least {asked.n} wanted" if count < asked.n else None


@checks("quoted")
def quoted(asked: Asked) -> str | None:
    """One pair of quotation marks holds the whole; others may stand within it."""
    text = asked.answer.strip(_MARKUP)
    if len(text) < 3 or text[0] not in _OPENING + '"' or text[-1] not in _CLOSING + '"“':
        return "does not begin and end with a quotation mark"
    depth, low_marks = 0, "„" in text
    for place, one in enumerate(text):
        depth += _step(text, place, one, low_marks=low_marks)
        if depth <= 0 and place < len(text) - 1:
            return "has text outside the quotation marks"
    return None if word_list(text) else "has no word at all"


def _step(text: str, place: int, one: str, *, low_marks: bool) -> int:
    """1 where a quotation begins, -1 where one ends. With low marks („) the mark that opens in English closes."""
    if place in (0, len(text) - 1):
        return 1 if not place else -1
    if one == '"':
        return 1 if text[place - 1] in " \t\n([{—–-“«「『" else -1
    if one in _CLOSING or (one == "“" and low_marks and not text[place - 1].isspace()):
        return -1
    return 1 if one in _OPENING else 0
