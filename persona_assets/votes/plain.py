r"""Answers in plain form: a number as one text whatever language, script or format it was written in.

| an answer | in plain form |
| --- | --- |
| `1,500`, `1 500 рублей`, `一千五百`, `\boxed{1500}` | `1500` |
| `0.50`, `1/2`, `половина` | `0.5` |
| `1/3`, a program's `0.3333333333333333` | `1/3` |
| `25 %`, `двадцать пять процентов` | `25%` |
| `$x = 2\sqrt{3}$`, a program's `2*sqrt(3)` | `2\sqrt{3}` |

What is no number stays as it is written.
"""

import re
from fractions import Fraction

from persona_assets.maths.compare import LONGEST
from persona_assets.maths.numbers import clean, number
from persona_assets.maths.solution import final_answer
from persona_assets.maths.words import Number

MOST_DECIMALS = 20  # of a number that is written with decimals; others are fractions
MOST_DIGITS = 380  # of a number; longer ones could not be read again
FLOAT_DIGITS = 15  # significant digits from which a printed number is the nearest one that a machine holds
FLOAT_ERROR = Fraction(1, 10**12)  # of its value, after some steps of arithmetic
MOST_DENOMINATOR = 10_000  # a fraction of a larger one is near any number by chance
_BARE_WORDS = 4  # more are a sentence
_BARE_HAN = 6  # characters; with a figure among them they say something of it
_SAYING_HAN = 3
_SENTENCE = re.compile(r"[.!?]\s+\S|[。！？\n]")
_MARKED = re.compile(r"\\(?:boxed|fbox)|#{4}|answer|result|答案|ответ|итог", re.IGNORECASE)
_HAN = re.compile(r"[\u3400-\u9fff]")
_FLOAT = re.compile(r"-?(\d+)\.(\d+)(?:[eE][-+]?\d{1,3})?")
_EQUALS = re.compile(r"^\\?[A-Za-z](?:_\w|_\{\w{1,9}\})?\s{0,3}=\s{0,3}(?=[^=])")
_ROOT = re.compile(r"(?<![\\A-Za-z])sqrt\(([^()]{1,200})\)")
_PYTHON = (
    (re.compile(r"\*\*\s?\(([^()]{1,100})\)"), r"^{\1}"),
    (re.compile(r"\*\*\s?(\w{1,20})"), r"^{\1}"),
    (_ROOT, r"\\sqrt{\1}"),
    (re.compile(r"(?<![\\A-Za-z])pi(?![A-Za-z])"), r"\\pi"),
    (re.compile(r"(?<![\\A-Za-z])oo(?![A-Za-z])"), r"\\infty"),
    (re.compile(r"(?<=\d)\s?\*\s?(?=\\)"), ""),
)


def plain_answer(answer: str, language: str) -> str:
    """A bare answer, or a text that holds one, in plain form; "" where there is none that can be told."""
    text = answer.strip()
    if not text:
        return ""
    found = number(text, language)
    if found is None and (_MARKED.search(text) or not _is_bare(text)):
        text = final_answer(text, language)
        found = number(text, language)
    return shown(found) if found else _formula(text)


def solved_answer(answer: str | None, solution: str, language: str) -> str:
    """The answer of a worked solution: what it names as such, else what its text ends with."""
    named = plain_answer(answer or "", language)
    if named:
        return named
    text = final_answer(solution, language)
    found = number(text, language)
    return shown(found) if found else _formula(text)


def printed_answer(output: str) -> str:
    """What a program printed on its last line; "" where that is nothing."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    line = lines[-1] if lines else ""
    if (exact := _of_float(line)) is not None:
        return shown(Number(exact))
    if not number(line):
        for pattern, instead in _PYTHON:
            line = pattern.sub(instead, line)
    return plain_answer(line, "en")


def shown(found: Number) -> str:
    """A number in digits: whole, with decimals where these end soon, else as a fraction; "" where it is too long."""
    value = found.value
    if max(abs(value.numerator), value.denominator) >= 10**MOST_DIGITS:
        return ""
    scaled = value * 10**MOST_DECIMALS
    if value.denominator == 1:
        text = str(value.numerator)
    elif scaled.denominator == 1:
        whole, part = divmod(abs(scaled.numerator), 10**MOST_DECIMALS)
        text = f"{'-' if value < 0 else ''}{whole}.{part:0{MOST_DECIMALS}d}".rstrip("0")
    else:
        text = f"{value.numerator}/{value.denominator}"
    return f"{text}%" if found.percent else text


def _of_float(line: str) -> Fraction | None:
    """The number that a machine's number stands for: 17.999999999999996 is 18, and 5.333333333333333 is 16/3."""
    match = _FLOAT.fullmatch(line)
    if not match or len((match[1] + match[2]).lstrip("0")) < FLOAT_DIGITS:
        return None
    value = Fraction(line)
    near = value.limit_denominator(MOST_DENOMINATOR)
    return near if abs(near - value) <= abs(value) * FLOAT_ERROR else None


def _is_bare(text: str) -> bool:
    """Whether a text is no more than an answer: a word, a letter, a formula."""
    if len(text) > LONGEST or _SENTENCE.search(text.strip(" .。")):
        return False
    words = re.sub(r"\\[A-Za-z]+", " ", text).split()
    named = [word for word in words if re.search(r"[^\W\d_]{3}", word)]
    characters = len(_HAN.findall(text))
    says = characters >= _SAYING_HAN and any(one.isdigit() for one in text)
    return len(named) <= _BARE_WORDS and characters <= _BARE_HAN and not says


def _formula(text: str) -> str:
    """A formula or word without what stands around it; "" where it is too long to be an answer."""
    text = clean(text).strip(" .。,，;；$*`\"'“”«»").strip()
    text = _EQUALS.sub("", text)
    return text if len(text) <= LONGEST else ""
