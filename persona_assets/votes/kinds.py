"""Answers to logic problems in a form in which they can be compared, by the kind of answer that a problem has.

| kind | forms that are one |
| --- | --- |
| `choice` | `B`, `(b)`, `option B`, `选B`, `вариант Б`, and the text of the option, where the problem lists options |
| `number` | as of maths: `27`, `двадцать семь`, `二十七` |
| `order` | the same items in the same order, whatever stands between them or numbers them |
| `yes_no` | `No.`, `it is impossible`, `不可能`, `нет, не может` |
| `free` | the same words but for case, punctuation and articles |
"""

import re
from collections.abc import Mapping
from typing import Literal, get_args

from persona_assets.maths.compare import told_apart
from persona_assets.maths.numbers import clean
from persona_assets.votes.ballots import Same
from persona_assets.votes.plain import plain_answer

AnswerKind = Literal["choice", "number", "order", "yes_no", "free"]
KINDS: tuple[AnswerKind, ...] = get_args(AnswerKind)
LONGEST = 600  # characters of an answer; a longer text is a solution
_LATIN, _CYRILLIC = "ABCDEFGH", "АБВГДЕЖЗ"
_LABEL = r"(?:option|choice|answer|variant|the|选项|选择|选|答案|应选|вариант|пункт|ответ|под буквой)"
_LETTER = re.compile(
    rf"^(?:{_LABEL}\s?(?:is|是|为)?[:：]?\s?)*[(（\[]?([{_LATIN}{_CYRILLIC}])(?:[)）\].:：、]|。?$)", re.IGNORECASE
)
_OPTION = re.compile(
    rf"(?:(?<=[\s;；,，。?？:：(（])|^)[(（]?([{_LATIN}]|[{_CYRILLIC}])[)）.、．:：]\s{{0,3}}"
    rf"([^\n;；]{{1,200}}?)(?=\s*[(（]?(?:[{_LATIN}]|[{_CYRILLIC}])[)）.、．:：]\s|[\n;；]|$)"
)
_QUOTES = re.compile(r"[\"“”„«»「」『』《》'‘’`*_]")
_ENDS = " .。!！?？,，;；:：、…-–—"
_ARTICLES = re.compile(r"\b(?:a|an|the)\s+(?=\w)")
_SEPARATORS = re.compile(r"\s*(?:,|，|、|;|；|\n|->|=>|→|⇒|➔|>|\||/|(?<=\s)[-–—](?=\s)|然后|接着|其次|最后|再是)\s*")
_THEN = re.compile(
    r"^(?:(?:and|а|и)\s)?(?:then|and|next|finally|lastly|last|first|second|third|fourth|和|及|首先|先是|第[一二三四五六七八九十\d]+[个场位]?"
    r"(?:是|：|:)?|и|затем|потом|наконец|сначала|первый|второй|третий)(?:\s*[:：—–-])?\s+|^(?:和|首先|先是|最后)"
)
_NUMBERED = re.compile(r"(?<!\d)\(?\d{1,2}[.)、．:：]\s*")
_DOUBLE_NO = re.compile(r"not (?:at all )?impossible|不是不可能|не невозможно|нельзя сказать, что не", re.I)
_NO = (
    r"no\b|nope\b|not\b|never\b|none\b|false\b|impossible\b|incorrect\b|cannot\b|can't\b|isn't\b|doesn't\b|won't\b|"
    r"不|否|没有|没|无法|非也|错|нет\b|не\b|никак\b|никто\b|никогда\b|невозможно\b|нельзя\b|неверно\b|неправда\b|ложь\b"
)
_YES = (
    r"yes\b|yeah\b|yep\b|true\b|correct\b|possible\b|certainly\b|indeed\b|can\b|it is\b|they are\b|does\b|"
    r"是|对|可能|能|可以|会|有|正确|да\b|верно\b|правда\b|может\b|могут\b|можно\b|возможно\b|конечно\b"
)
_STARTS_NO, _STARTS_YES = re.compile(rf"(?:{_NO})", re.I), re.compile(rf"(?:{_YES})", re.I)
_HAS_NO, _HAS_YES = re.compile(rf"(?<!\w)(?:{_NO})|[不没无]", re.I), re.compile(rf"(?<!\w)(?:{_YES})", re.I)
_PLAIN_YES = re.compile(r"(?:yes|yeah|yep|true|да|是的?|对的?)(?!\w)", re.I)
_SEVERAL = re.compile(r"\b(?:or|and|not|nor|neither|except|или|и|не|кроме)\b|[或和不非除]")
_SAID = re.compile(
    r"(?:\banswer\**\s?(?:is|:|：)|答案\**\s?(?:应为|应是|是|为|：|:)|\bответ\**\s?[:：—–-])[*:：]*\s{0,3}([^\n]{1,600})",
    re.IGNORECASE,
)
_SENTENCE_ENDS = re.compile(r"(?<=[^\d\s][.!?])\s+|(?<=[。！？])")
_HAN = re.compile(r"[\u3400-\u9fff]")
_AROUND_ZH = re.compile(r"^(?:在|是|选|应该是|应为|就是|位于)|(?:里面?|中|内|上)$")
_PRONOUNS = frozenset({"one", "this", "that", "это", "тот"})
_STEM = 3  # letters that two forms of a Russian word have in common at least
_ENDING = 3  # letters at the end of a Russian word that its forms differ in


def said_answer(answer: str | None, solution: str) -> str:
    """The answer that a solution names, or that its text says last; "" where it has none."""
    if answer and answer.strip():
        return answer.strip() if len(answer) <= LONGEST else ""
    found = _SAID.findall(solution[-20 * LONGEST :])
    return _SENTENCE_ENDS.split(str(found[-1]))[0].strip(_ENDS + "*") if found else ""


def options_of(problem: str) -> Mapping[str, str]:
    """The options that a problem lists, A) B) C), by their folded texts; none where there are fewer than two."""
    found = {fold(text): _place(letter) for letter, text in _OPTION.findall(problem[-20 * LONGEST :])}
    return found if len(found) > 1 else {}


def form_of(answer: str, kind: str, language: str, options: Mapping[str, str] | None = None) -> str:
    """An answer in the form in which its kind is compared; "" where it is none of the kind."""
    if not answer.strip() or len(answer) > LONGEST:
        return ""
    if kind == "number":
        return plain_answer(answer, language)
    if kind == "choice":
        return _choice(answer, options or {})
    if kind == "order":
        return _order(answer)
    return _yes_no(answer) if kind == "yes_no" else fold(answer)


def same_of(kind: str) -> Same:
    """Whether two forms of a kind are one answer."""
    if kind == "number":
        return lambda one, other: told_apart(one, other) is True
    return _same_choice if kind == "choice" else lambda one, other: one == other


def fold(text: str) -> str:
    """A text without case, quotation marks, articles, and punctuation at its ends."""
    bare = _QUOTES.sub("", clean(text)).casefold().replace("ё", "е")
    return " ".join(_ARTICLES.sub(" ", bare).split()).strip(_ENDS)


def _place(letter: str) -> str:
    """A letter of a list by its place, so that one alphabet's B is another's Б."""
    upper = letter.upper()
    return f"#{(_LATIN if upper in _LATIN else _CYRILLIC).index(upper) + 1}"


def _choice(answer: str, options: Mapping[str, str]) -> str:
    text = _QUOTES.sub("", clean(answer)).strip()
    folded = fold(answer)
    if folded in options:
        return options[folded]
    if found := _LETTER.match(text):
        return _place(found[1])
    named = {place for option, place in options.items() if _same_choice(folded, option)}
    return named.pop() if len(named) == 1 else folded


def _same_choice(one: str, other: str) -> bool:
    """Whether two texts name one thing: the green drawer, in the green one, в зелёном, 绿抽屉."""
    if one == other or "#" in (one[:1], other[:1]):
        return one == other
    if _SEVERAL.search(one) or _SEVERAL.search(other):
        return False
    if _HAN.search(one) and _HAN.search(other):
        short, long = sorted((_bare_zh(one), _bare_zh(other)), key=len)
        return bool(short) and short in long
    few, many = sorted((_words(one), _words(other)), key=len)
    return bool(few) and all(any(_alike(word, found) for found in many) for word in few)


def _bare_zh(text: str) -> str:
    return _AROUND_ZH.sub("", text)


def _words(text: str) -> list[str]:
    """The words that say something; short ones are prepositions."""
    found = re.findall(r"\w+", text)
    return [word for word in found if (len(word) > 2 and word not in _PRONOUNS) or word.isdigit()]


def _alike(one: str, other: str) -> bool:
    """Whether two words are one, but for a Russian ending."""
    if one == other or not re.search("[а-я]", one + other):
        return one == other
    stem = max(_STEM, min(len(one), len(other)) - _ENDING)
    return one[:stem] == other[:stem] and abs(len(one) - len(other)) <= _ENDING


def _order(answer: str) -> str:
    text = _NUMBERED.sub(" \n ", _QUOTES.sub("", clean(answer.replace("\n", " , "))))
    parts = (_THEN.sub("", part.strip(_ENDS + "()").casefold()) for part in _SEPARATORS.split(text))
    items = [folded for part in parts if (folded := fold(part))]
    return " | ".join(items) if len(items) > 1 else ""


def _yes_no(answer: str) -> str:
    text = clean(answer).casefold().strip(_ENDS + "\"'«“").replace("没错", "对").replace("不错", "对")
    if _DOUBLE_NO.search(text):
        return "yes"
    if _STARTS_YES.match(text) and not text.startswith(("有没有", "是否")):
        first = re.split(r"[,，.。;；!！]", text)[0]
        return "no" if _HAS_NO.search(first) and not _PLAIN_YES.match(first) else "yes"
    if _STARTS_NO.match(text):
        return "no"
    return "no" if _HAS_NO.search(text) else "yes" if _HAS_YES.search(text) else ""
