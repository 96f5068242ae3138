r"""Finds the final answer that a solution gives, in the text that it was written in.

| the solution has | the answer is |
| --- | --- |
| `\boxed{...}` | what stands in the last one |
| a line `#### 18` | what follows the marks |
| "The answer is 18", 答案：18, «Ответ: 18» | what follows, to the end of the sentence or line |
| none of these | the last number of the last sentence that has one |

What follows may be prose: of that the formula, what is set in bold, what an equals sign gives, or the one number.
"""

import re

from persona_assets.maths.numbers import clean, number

MOST_BOXES = 20  # boxes that are looked into, from the last one: of a thousand that are open none closes
LONGEST = 20_000  # characters of a solution that are looked at, from its end
_BOXED = re.compile(r"\\(?:boxed|fbox)\s{0,3}\{")
_HASHES = re.compile(r"^\s{0,9}#{4}\s{0,9}(.+)$", re.MULTILINE)
_MARKER = re.compile(
    r"(?:final answer|the answer|answer|result)(?:\s(?:to|for)\s[^.\n:]{1,80})?\s{0,3}\**\s{0,3}"
    r"(?:(?:is|are|was|would be)\s?:?|=|:)\**"
    r"|(?:最终答案|答案|答案选|结果|答)\**\s{0,3}(?:(?:是|为|应为|等于|选)\s?[：:]?|[：:])\**"
    r"|(?:окончательный ответ|ответ|итог)\**\s{0,3}(?:(?:равен|равно|составляет|будет)\s?:?|[:=.—–-])\**",
    re.IGNORECASE,
)
_ENDS = re.compile(r"(?<=[^\\][.!?])\s+|(?<=[。！？])\s*|\n+")
_INLINE = re.compile(
    r"\$\$(.{1,400}?)\$\$|(?<!\\)\$(?!\s)([^$\n]{1,400}?)(?<!\s)(?<!\\)\$(?!\d)|\\\((.{1,400}?)\\\)|\\\[(.{1,400}?)\\\]"
)
_BOLD = re.compile(r"\*\*([^*\n]{1,200})\*\*")
_FIGURE = re.compile(
    r"(?<![A-Za-zА-Яа-яё\d.,_])[-+−]?\s?[$¥€£₽]?\s?"
    r"(?:\d+\s\d+/\d+|\d{1,3}(?:[ \u00a0]\d{3})+(?:[.,]\d+)?|\d[\d.,]*\d|\d)(?:/\d+)?"
    r"(?:\s?(?:%|％|万|亿))?(?!\d|/\d|[.,]\d)"
)

_NAME = re.compile(r"\s*(?:\\text\{[^{}]*\}|\\?[A-Za-z]+)(?:_\{?\w{1,20}\}?)?(?:\([\w\s,]{0,20}\))?\s*")
_COMMAND = re.compile(r"\\[a-zA-Z]+")


def final_answer(solution: str, language: str = "en") -> str:
    """The answer as it stands there; "" where the solution gives none that can be told."""
    text = solution[-LONGEST:].strip()
    if boxed := _last_boxed(text):
        return boxed
    if hashes := _HASHES.findall(text):
        return str(hashes[-1]).strip().strip("*").strip()
    for marker in reversed(list(_MARKER.finditer(text))):
        following = text[marker.end() :]
        if said := _said(following, language):
            return said
        if len(_ENDS.split(following.strip())) == 1:
            return ""  # the solution ends with an answer that names several numbers, or none
    for sentence in reversed(_ENDS.split(text)):
        if found := _of_prose(sentence, language):
            return found
    return ""


def _last_boxed(text: str) -> str:
    for start in reversed(list(_BOXED.finditer(text))[-MOST_BOXES:]):
        depth, at = 1, start.end()
        while at < len(text) and depth:
            depth += {"{": 1, "}": -1}.get(text[at], 0) if text[at - 1] != "\\" else 0
            at += 1
        if not depth and (inside := text[start.end() : at - 1].strip()):
            return inside
    return ""


def _said(following: str, language: str) -> str:
    """The answer in what follows a marker: the rest of its line, or the next line where that is empty."""
    lines = [line.strip() for line in following.split("\n")]
    line = next((line for line in lines if line.strip(" *:：$\\[]")), "")
    if line in ("$$", "\\["):
        line = " ".join(lines)
    sentence = next((part for part in _ENDS.split(line) if part.strip(" *:：")), "")
    sentence = sentence.strip().strip("*").strip()
    if number(sentence, language):
        return sentence.rstrip(".。 ")
    return _of_prose(sentence, language, last=False) or _plain(sentence)


def _plain(sentence: str) -> str:
    """A sentence that is no more than an answer: a letter, a word, a formula."""
    bare = sentence.strip(" .。,，;；*")
    return bare if 0 < len(bare) <= 60 and len(bare.split()) <= 4 else ""


def _of_prose(sentence: str, language: str, *, last: bool = True) -> str:
    """The answer within a sentence; with `last`, the last of several numbers counts, else several are none."""
    formulas = [next(filter(None, found)) for found in _INLINE.findall(sentence)]
    if formulas:
        return _right_side(formulas[-1])
    for bold in reversed(_BOLD.findall(sentence)):
        if found := _of_prose(bold, language) or (number(bold, language) and bold):
            return str(found).strip()
    if "=" in sentence and (right := figures(sentence.rsplit("=", 1)[1])):
        return right[0]
    found = figures(sentence)
    if len(found) == 1 or (found and last):
        return found[-1]
    return ""


def _right_side(formula: str) -> str:
    """What an equation gives: where a name, or a sum of numbers, stands before the sign. Else all of the formula."""
    left, *others = re.split(r"(?<![<>!\\])=(?!=)|\\approx(?![a-z])|≈", formula)
    if others and (len(others) > 1 or _NAME.fullmatch(left) or not re.search(r"[A-Za-z]", _COMMAND.sub("", left))):
        return others[-1].strip() or formula
    return formula


def figures(text: str) -> list[str]:
    """The numbers in digits that stand in a text, in their order."""
    return [found.strip() for found in _FIGURE.findall(clean(text))]
