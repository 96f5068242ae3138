"""Lines of a page's plain text (WET) that are not its body: menus, links, notices, and what stands before and after.

A WET record holds every line of a page. Each line gets a weight in words: prose for, a short line of a menu or a known
notice against. The body is the stretch of lines with the largest sum (the maximum subarray, by Kadane's pass over it:
Bentley, Programming Pearls, CACM 1984), so a heading between two paragraphs stays, and a teaser beyond many links goes.
What follows a heading of comments is not looked at once a body stands before it.
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from json import dumps
from pathlib import Path

import yaml

from persona_assets.ids import digest

SHORT = -5.0  # weight of a line of a menu
MENU = -40.0  # of any number of them in a row; so a passage of more words than this belongs to the body again
HEADING = -40.0  # of a heading such as "Related"
FIRST = -2.0  # of the first two such lines behind text: they may be a heading
PAUSE = 1.0  # of a word of a line that ends at a comma, as in verse
AMOUNT = 3.0  # of a line of a list of ingredients
CODE = 5.0  # of a line of a program
SENTENCE = 6.0  # what a line gains by a closing mark, so that short answers outweigh the names and dates around them
RUN = 5  # so many lines of a menu in a row go inside the body too
BODY = 100.0  # a stretch of this weight is the body where the comments begin
SCARCE = 80.0  # where prose weighs less than this, lines without marks (verse, lists) count; the less, the more
LONG_WORDS = 14  # a line of so many words needs no closing mark to be prose
CJK_PER_WORD = 2  # Chinese characters that weigh as much as a word
_LOOK = 120  # characters of a long line that are looked at for capitals

_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]+")
_ENDS = frozenset(".!?…。！？｡")
_PAUSES = frozenset(",;:，、；：—")
_COLONS = frozenset(":：")
_CLOSERS = "\"'”’»)]」』】）*"
_PAUSE_INSIDE = re.compile(r"[.!?…,;:] +\S|[。！？，、；：]")
_SEPARATOR = re.compile(r"[|»«›‹·•→←▸►]|(?:^| )[/>] ")
_QUOTED = re.compile(r"«[^«»]+»")
_UNITS = (
    "g|kg|ml|l|oz|lb|tsp|tbsp|cups?|г|гр|кг|мл|л|шт|ст|克|千克|公斤|毫升|升|勺|汤匙|茶匙"
    "|斤|两|个|只|根|片|粒|碗|杯|匙|块|瓣|朵|颗|把"
)
_AMOUNT = re.compile(
    r"^[-–•*·]? ?(?:\d+(?:[.,/]\d+)?|[½¼¾⅓⅔]) ?(?!\d)(?:[^\W\d_]|[½¼¾⅓⅔])"
    rf"|(?:\d|[一二两三四五六半]) ?(?:{_UNITS})(?![^\W_])"
    "|少许|适量|по вкусу|to taste|щепотк|a pinch|half an? ",
    re.I,
)
_DATE = re.compile(
    r"(?:19|20)\d\d|\d[./-]\d{1,2}[./-]\d|\d:\d\d|\d (?:minutes?|hours?|days?|weeks?|months?|years?) ago"
    r"|\d (?:января|февраля|марта|апреля|мая|июня|июля|августа|сентября|октября|ноября|декабря|(?:\w+ )?назад)"
    r"|\d ?(?:分钟|小时|天|个月|年)前|\d ?月 ?\d",
    re.I,
)
_CODE_SIGNS = frozenset("(){}[];=<>#$/\\:")
_CODE = re.compile(
    r"[;{}]$|^[}\])]|\w\((?!\d+\)).*\)|[=!<>+-]=|=>|->|::|\w = | [<>+*%] \w|^\w[\w.]*:\s*\S+$"
    r"|^</?\w[^>]*>|^(?:\$|>>>|//|--|#) ?\w"
    r"|^(?:return|elif|import|def|func|fn|var|let|const|public|private)\b"
    r"|^(?:class|from|if|else|for|while|try|except|with|function|switch|case)\b.*[:;({=)]$"
)

_TOLD = yaml.safe_load(Path(__file__).with_name("boilerplate.yaml").read_text(encoding="utf-8"))
_RELATED = tuple(_TOLD["related"])
_COMMENTS = re.compile(f"(?:{'|'.join(_TOLD['comments']['patterns'])})[:：]?")
# Phrases, each with the name of its notice and the most words of a line that it tells.
_PHRASES: dict[str, tuple[str, int]] = dict.fromkeys(_TOLD["comments"]["stems"], ("comments", 20)) | {
    phrase: (name, notice["words"]) for name, notice in _TOLD["notices"].items() for phrase in notice["phrases"]
}
_CYRILLIC_LETTER = re.compile("[а-я]")
_ASCII = tuple(phrase for phrase in _PHRASES if phrase.isascii())
_CYRILLIC = tuple(phrase for phrase in _PHRASES if _CYRILLIC_LETTER.search(phrase))
_CHINESE = tuple(phrase for phrase in _PHRASES if _CJK.search(phrase))
_OTHER = tuple(phrase for phrase in _PHRASES if phrase not in {*_ASCII, *_CYRILLIC, *_CHINESE})


@dataclass(frozen=True, slots=True)
class Lines:
    """A text, and how many lines were taken out of it by reason: a notice of `boilerplate.yaml`, or one of these.

    - `menu`: a short line without a sentence, or a date, before or after the body or in a row of such;
    - `links`: several links in one line;
    - `related`, `comments`: a heading of what follows the body;
    - `outside`: text before or after the body.
    """

    text: str
    removed: dict[str, int] = field(default_factory=dict)


def phrases_digest() -> str:
    """Digest of what boilerplate says."""
    return digest(dumps(_TOLD).encode())


def filter_lines(text: str) -> Lines:
    """The body of a page's plain text, as some of its lines in order; all of them where no line looks like text.

    Linear in the text, raises nothing; filtering twice gives what filtering once gives.
    """
    lines = text.split("\n")
    weighed = _weighed(lines)
    weights = [weight for weight, _, _ in weighed]
    reasons = [reason for _, _, reason in weighed]
    prose = sum(weight for weight in weights if weight >= SENTENCE)
    if prose < SCARCE:
        weights = [weight + (1 - prose / SCARCE) * faint for weight, faint, _ in weighed]
    start, end = _body(weights, reasons)
    if start == end:
        return Lines(text)
    start = _heading(lines, weighed, start)
    kept = _kept(weights, reasons, start, end)
    gone = set(range(len(lines))).difference(kept)
    removed = Counter(reasons[place] or "outside" for place in sorted(gone) if lines[place].strip())
    return Lines("\n".join([lines[place] for place in kept]), dict(removed))


_Weighed = tuple[float, float, str]  # weight; weight to add where prose is scarce; reason for which it may go
_BLANK: _Weighed = 0.0, 0.0, ""


def _weighed(lines: Sequence[str]) -> list[_Weighed]:
    bare = [line.strip() for line in lines]
    small = [f" {line.lower()} " for line in bare]
    page = "\n".join(small)
    has_cjk = not page.isascii() and _CJK.search(page) is not None
    phrases = _phrases(page, small, has_cjk)
    return [
        _weight(line, small[place], phrases.get(place, ()), has_cjk) if line else _BLANK
        for place, line in enumerate(bare)
    ]


def _phrases(page: str, lines: Sequence[str], has_cjk: bool) -> dict[int, list[str]]:
    """The phrases that each line holds, by its place, each looked for only where its letters are.

    Twice, as a text of one byte a letter is searched at six times the speed, and few phrases stand on a page.
    """
    narrow = page.encode("ascii", "ignore").decode()
    sought = [phrase for phrase in _ASCII if phrase in narrow]
    if not page.isascii():
        sought += _OTHER
        sought += _CYRILLIC if _CYRILLIC_LETTER.search(page) else ()
        sought += _CHINESE if has_cjk else ()
    starts = [0, *accumulate(len(line) + 1 for line in lines)]
    found: dict[int, list[str]] = {}
    for phrase in sought:
        at = page.find(phrase)
        while at >= 0:
            place = bisect_right(starts, at) - 1
            found.setdefault(place, []).append(phrase)
            at = page.find(phrase, starts[place + 1])
    return found


def _weight(line: str, small: str, phrases: Sequence[str], has_cjk: bool) -> _Weighed:
    """What a line weighs; `small` is the line in small letters between blanks."""
    parts = line[:_LOOK].split()
    words = len(parts) if len(line) <= _LOOK else line.count(" ") + 1
    cjk = len(line) - len(_CJK.sub("", line)) if has_cjk and not line.isascii() else 0
    if cjk:
        words = sum(map(str.isascii, parts)) + (cjk + 1) // CJK_PER_WORD
    is_closed = line.rstrip(_CLOSERS)[-1:] in _ENDS
    if words <= 7 and not is_closed and small.startswith(_RELATED, 1):
        return HEADING, 0.0, "related"
    for phrase in phrases:
        name, most = _PHRASES[phrase]
        if words <= most and (name != "comments" or _COMMENTS.fullmatch(small, 1, len(small) - 1)):
            return (HEADING if name == "comments" else SHORT - words / 2), 0.0, name
    if not _CODE_SIGNS.isdisjoint(line) and _CODE.search(line):
        return CODE, 0.0, ""
    initials = [part[0] for part in parts]
    plain = (sum(map(str.isalpha, initials)) - sum(map(str.isupper, initials))) / max(len(parts), 1)
    if words < 20 and not (is_closed and plain > 0.4) and _SEPARATOR.search(_QUOTED.sub("", line)):
        return SHORT, 0.0, "links"
    return _weight_of_words(line, words, plain, is_closed, cjk)


def _weight_of_words(line: str, words: int, plain: float, is_closed: bool, cjk: int) -> _Weighed:
    """The weight of a line that no phrase or heading tells; `plain` is the share of its words without a capital."""
    if is_closed:
        cut = line.endswith(("...", "…"))
        if words < 4:
            return (0.0 if cut else float(words)), 0.0, ""
        return (words * 0.3 if plain <= 0.4 or cut else words + SENTENCE), 0.0, ""
    if words >= LONG_WORDS and plain > 0.5:
        return words * (0.5 if _PAUSE_INSIDE.search(line) else 0.3), 0.0, ""
    is_dated = _DATE.search(line) is not None
    if (words >= 2 or cjk) and _AMOUNT.search(line):
        return (SHORT, 0.0, "menu") if words <= 8 and is_dated else (AMOUNT if words <= 6 else 1.0, 0.0, "")
    is_dated = is_dated and words < 25
    if words >= 3 and plain >= 0.5 and line[-1] in _PAUSES and not (is_dated and line[-1] in _COLONS):
        return words * PAUSE, 0.0, ""
    if words >= 25:
        return words * 0.3, 0.0, ""
    if is_dated:
        return SHORT, 0.0, "menu"
    if (words >= 4 and plain >= 0.6) or (words >= 2 and plain >= 0.9 and not cjk):
        return 0.0, words * (1.0 if words >= 4 else 0.5), ""
    return SHORT, words / 2 - SHORT if words >= 3 and plain >= 0.5 else 0.0, "menu"


def _body(weights: Sequence[float], reasons: Sequence[str]) -> tuple[int, int]:
    """Where the stretch with the largest sum begins and ends; nowhere where no line weighs anything."""
    best, found = 0.0, (0, 0)
    total, start = 0.0, 0
    row = 0.0  # of the lines of a menu just before
    for place, weight in enumerate(weights):
        if reasons[place] == "comments":
            if best >= BODY:
                break
            total, start = 0.0, place + 1
            continue
        if weight < 0 and reasons[place] != "related":
            step = max(FIRST if row > 2 * FIRST else weight, MENU - row)
            row += step
        else:
            step = weight
            row = 0.0 if weight else row
        total += step
        if total <= 0:
            total, start = 0.0, place + 1
        elif total > best:
            best, found = total, (start, place + 1)
    return found


def _heading(lines: Sequence[str], weighed: Sequence[_Weighed], start: int) -> int:
    """Where the body begins with its title: the line just before it, where that may be text without a mark."""
    place = start - 1
    while place >= 0 and not lines[place].strip():
        place -= 1
    return place if place >= 0 and weighed[place][1] > 0 else start


def _kept(weights: Sequence[float], reasons: Sequence[str], start: int, end: int) -> list[int]:
    """Lines of the body but those of long menus, and notices."""
    kept: list[int] = []
    short: list[int] = []
    for place in range(start, end):
        if weights[place] < 0:
            short.append(place)
            continue
        if len(short) < RUN:
            kept += [one for one in short if reasons[one] in ("menu", "related")]
        short = []
        kept.append(place)
    return kept
