"""How many sentences a reader counts in an answer in English, Chinese or Russian.

Otherwise than in `text.sentences`, which cuts pages, a line break ends no sentence here, and one may begin with a small
letter: an answer may have been asked for in small letters alone.
"""

import re

from persona_assets.constraints.blocks import lines
from persona_assets.constraints.words import HAN, word_list

_MARK = re.compile(r"(?:[.…。．｡]|[!?！？‼⁇⁈⁉])+")
_CLOSING = "\"'”’»)）]］」』》】*_"
_ELLIPSIS = re.compile(r"[.…。]{2,}|…")
_WORD_BEFORE = re.compile(rf"[^\W\d_{HAN}]+(?:\. ?[^\W\d_{HAN}]+)*\Z")
# Who speaks follows on the quotation, in the same sentence; before a colon it is the next that they speak.
_ZH_SPEAKER = re.compile(rf"[{HAN}]{{0,6}}?(?:说|问|道|答|喊|叫)道?(?![道：:])")
_LOWER_NEXT = re.compile(r"[\s\"'“‘«(\[*_]*(?:[—–-]\s*)?[\"'“‘«(\[*_]*([^\W\d_])")

# After these a sentence goes on, whatever follows.
_INNER = """
mr mrs ms dr prof st rev gen sen gov capt lt col sgt mt vs e.g i.e eg ie cf viz al vol fig figs eq sec ch pp ed eds
approx est ca dept u.s u.k p.s p.p.s
т.е т.к т.н т.о напр см ср стр рис табл гл ул пр-т пер просп пл кв стр корп им акад доц тов г-н г-жа св п.с п p с д
об р обл р-н ст англ лат нем фр рус
"""
# These may end a sentence too: they do where a capital letter follows.
_EITHER = """
etc inc ltd co corp jr sr a.m p.m ph.d b.c a.d
т.д т.п др пр проч г гг в вв н.э руб коп тыс млн млрд кг км мин сек ок проф
"""
_GOES_ON, _MAY_END = frozenset(_INNER.split()), frozenset(_EITHER.split())
_BEFORE_A_FIGURE = frozenset({"no", "nos", "art"})
_WORDS_OF_ONE_LETTER = frozenset({"I", "Я"})  # any other capital letter before a full stop is an initial


def sentence_count(text: str) -> int:
    """How many sentences there are.

    Headings, titles, tables, code and rules are none. What a blank line, a list item or the end leaves unclosed is one
    where it has a word. Decimals, abbreviations, initials and ellipses within a sentence end none.
    """
    return sum(1 for block in _blocks(text) for one in _split(block) if word_list(one))


def last_sentence(text: str) -> str:
    """The last sentence, with its marks; empty where there is none."""
    for block in reversed(_blocks(text)):
        for one in reversed(_split(block)):
            if word_list(one):
                return one.strip()
    return ""


def _blocks(text: str) -> list[str]:
    """The running texts: paragraphs and list items, lines of one joined."""
    found: list[list[str]] = [[]]
    for line in lines(text):
        if line.kind == "text":
            found[-1].append(line.text)
        elif line.kind in ("bullet", "number"):
            found.append([line.text])
        else:
            found.append([])
    return [" ".join(part) for part in found if part]


def _split(block: str) -> list[str]:
    """The sentences of a running text."""
    marks = list(_MARK.finditer(block))
    small = _is_small(block, marks)
    found, start = [], 0
    for mark in marks:
        end = mark.end()
        while end < len(block) and block[end] in _CLOSING:
            end += 1
        if _ends(block, mark, end, small=small):
            found.append(block[start:end])
            start = end
    return [*found, block[start:]]


def _is_small(block: str, marks: list[re.Match[str]]) -> bool:
    """Whether most sentences of a text begin with a small letter."""
    small = large = 0
    for mark in marks:
        if following := _next_letter(block, mark.end()):
            small, large = small + following.islower(), large + following.isupper()
    return small > large and not block.lstrip("\"'“«*_( ")[:1].isupper()


def _next_letter(block: str, at: int) -> str:
    found = _LOWER_NEXT.match(block[at : at + 16])
    return found[1] if found and block[at : at + 1].isspace() else ""


def _ends(block: str, mark: re.Match[str], end: int, *, small: bool) -> bool:
    told, rest = mark[0], block[end : end + 16]
    if not rest.strip():
        return True
    if told[-1] in "。．｡！？" or (told[-1] in "!?…" and re.match(rf"[{HAN}]", rest)):
        return _ends_in_chinese(told, block[mark.end() : end], rest)
    if not rest[0].isspace():
        return False
    letter = _next_letter(" " + rest.lstrip(), 0)
    if told[-1] in "!?":
        return not (letter.islower() and (end > mark.end() or _is_dash(rest)))
    if _ELLIPSIS.fullmatch(told):
        return letter.isupper() or bool(re.match(rf"\s*[{HAN}\d]", rest))
    return _full_stop_ends(block, mark.start(), letter, quoted=end > mark.end(), small=small)


def _ends_in_chinese(told: str, closing: str, rest: str) -> bool:
    if ("…" in told or "。。" in told) and told[-1] not in "！？!?":
        return False
    return not (closing.strip("*_") and _ZH_SPEAKER.match(rest))


def _is_dash(rest: str) -> bool:
    return rest.lstrip()[:1] in ("—", "–", "-")


def _full_stop_ends(block: str, at: int, letter: str, *, quoted: bool, small: bool) -> bool:
    before = block[max(0, at - 24) : at]
    found = _WORD_BEFORE.search(before)
    word = found[0].replace(" ", "") if found else ""
    tail = word.rpartition(".")[2]
    names = {word.lower(), tail.lower(), ".".join(word.lower().split(".")[-2:])}
    if names & _MAY_END and not (word.isupper() and "." in word):  # A.M. Turing
        return letter.isupper() and _may_end_here(names, before)
    if not quoted and (names & _GOES_ON or _is_initial(tail) or (not letter and names & _BEFORE_A_FIGURE)):
        return False
    return not letter.islower() or (small and not quoted)


def _is_initial(word: str) -> bool:
    return len(word) == 1 and word.isupper() and word not in _WORDS_OF_ONE_LETTER


def _may_end_here(names: set[str], before: str) -> bool:
    """`г.` and `в.` are a year and a century behind a number or numeral, else a town and a preposition."""
    if names & {"г", "гг", "в", "вв"}:
        return bool(re.search(r"(?:\d|[IVX])[\s-]*[гв]{1,2}\Z", before))
    return True
