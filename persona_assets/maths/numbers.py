r"""Reads a number as people write it, exactly: in digits or words, of three languages, plain or as TeX.

| written | read |
| --- | --- |
| `1,234.5`, `1 234,5`, `１２３４`, `−3`, `$1{,}234$` | separators as the language has them |
| `3/4`, `\frac{3}{4}`, `1 1/2`, `1\frac12` | fractions and mixed numbers |
| `50%`, `百分之五十`, `50 percent`, `50 процентов` | a percentage |
| `3.2 \times 10^5`, `10^{-3}` | powers of ten |
| `twenty-five`, `三百二十`, `3万`, `三分之二`, `двадцать пять`, `две трети` | number words |
| `72 km`, `$18`, `18 dollars a day`, `72公里`, `72 рубля` | the number, without what is counted |

What is not one number by itself is none: `5x`, `3 and 5`, `2\sqrt{3}`.
"""

import re
import unicodedata
from fractions import Fraction

from persona_assets.maths.words import Number, in_words

MOST_DIGITS = 400  # of a number; a longer text is none
_SPACES = dict.fromkeys(map(ord, "\u00a0\u2009\u202f\u2007\u2008\u200a\u205f\u3000"), " ")
_SIGNS = {
    ord("−"): "-",
    ord("–"): "-",
    ord("﹣"): "-",
    ord("－"): "-",
    ord("⁄"): "/",
    ord("∕"): "/",
    ord("×"): "*",
    ord("·"): "*",
}
_TEX = (
    (re.compile(r"\\(?:left|right|displaystyle|textstyle|limits)(?![a-zA-Z])|\\[,;:! ]|\\(?:q?quad|phantom\{\})"), " "),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"\\[dt]frac(?![a-zA-Z])"), r"\\frac"),
    (re.compile(r"\\frac\s?(\d)\s?(\d)(?!\d)"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\(?:times|cdot)(?![a-zA-Z])"), "*"),
    (re.compile(r"\^\s?\{?\s?\\(?:circ|degree)(?![a-zA-Z])\s?\}?|\\(?:circ|degree)(?![a-zA-Z])|°"), " degrees "),
    (re.compile(r"\\(?:text|mathrm|textbf|mathbf|mbox|textit|operatorname|mathit)\s?\{([^{}]{0,200})\}"), r" \1 "),
    (re.compile(r"\\([$%#&_ ])"), r"\1"),
    (re.compile(r"\\(?:dots|ldots)(?![a-zA-Z])"), "…"),
)
_DIGITS = r"\d{1,400}"
_FRACTION = re.compile(rf"({_DIGITS}) ?/ ?({_DIGITS})")
_TEX_FRACTION = re.compile(r"\\frac ?\{ ?([^{}]{1,60}?) ?\} ?\{ ?([^{}]{1,60}?) ?\}")
_NUMBER = re.compile(r"\d[\d.,' ]{0,400}(?<![.,' ])|\.\d{1,400}")
_POWER = re.compile(r"(?:(?P<times>\*) ?)?10 ?\^ ?(?:\{ ?(?P<long>[-+]?\d{1,3}) ?\}|(?P<short>[-+]?\d{1,3}))")
_SCIENTIFIC = re.compile(r"[eE]([-+]?\d{1,3})(?![\w])")
_CURRENCY = "$¥€£₽₹￥元"
_UNITS = frozenset(
    [*"mgshlLtAVWNJKCF", "kg", "km", "cm", "mm", "dm", "ml", "mL", "kWh", "min", "hr", "hrs", "sec", "ha", "mg", "mph"]
)
_PERCENT = re.compile(r"\s{0,3}(?:%|％|percent\b|per cent\b|процент\w{0,3}|pct\b|个?百分点)")
_MULTIPLES = {
    "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12,
    "тыс": 10**3, "тысяч": 10**3, "тысяча": 10**3, "тысячи": 10**3, "млн": 10**6, "миллион": 10**6, "миллиона": 10**6,
    "миллионов": 10**6, "млрд": 10**9, "миллиард": 10**9, "миллиарда": 10**9, "миллиардов": 10**9,
    "万": 10**4, "亿": 10**8, "千": 10**3, "百": 10**2, "百万": 10**6, "千万": 10**7, "万亿": 10**12,
}  # fmt: skip
_MULTIPLE = re.compile(rf" ?({'|'.join(sorted(_MULTIPLES, key=len, reverse=True))})(?![a-zа-яё])\.?", re.IGNORECASE)


def clean(text: str) -> str:
    """A formula or number with one form for signs, spaces, digits and TeX that changes nothing."""
    text = unicodedata.normalize("NFKC", text.translate(_SPACES)).translate(_SIGNS | _SPACES)
    for pattern, instead in _TEX:
        text = pattern.sub(instead, text)
    return " ".join(text.replace("$$", " ").split())


def number(text: str, language: str = "en") -> Number | None:
    """The number that a text is; None where it is none, or more than one."""
    if len(text) > MOST_DIGITS:
        return None
    body = _bare(clean(text))
    return _signed(body, language) or in_words(body, language)


def _bare(text: str) -> str:
    """Without dollar signs around it, emphasis, a full stop, brackets that hold all of it, or `x =` before it."""
    while True:
        before = text
        text = text.strip(" *_`\"'“”«»。．，,;；:：!！、")
        text = text.removesuffix(".") if not re.search(r"\d\.\d{0,400}$", text) or text.endswith(".") else text
        for opens, closes in (("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("(", ")"), ("{", "}"), ("[", "]")):
            inner = text[len(opens) : -len(closes)]
            if (
                text.startswith(opens)
                and text.endswith(closes)
                and len(text) > 1
                and opens not in inner
                and closes not in inner
            ):
                text = inner
        text = re.sub(r"^(?:[A-Za-zα-ω]|[A-Za-z]_\w)\s?=\s?", "", text)
        text = re.sub(
            r"^(?:约|大约|共|一共|总共|about|approximately|exactly|≈|=|примерно|около|ровно)\s?",
            "",
            text,
            flags=re.IGNORECASE,
        )
        if text == before:
            return text


def _signed(text: str, language: str) -> Number | None:
    sign = 1
    text = text.strip()
    while text[:1] in (*"+-", *_CURRENCY) and text:
        sign = -sign if text[0] == "-" else sign
        text = text[1:].lstrip()
    read = _unsigned(text, language)
    if read is None:
        return None
    value, rest = read
    multiple = _MULTIPLE.match(rest)
    if multiple:
        value, rest = value * _MULTIPLES[multiple[1].lower()], rest[multiple.end() :]
    percent = _PERCENT.match(rest)
    rest = rest[percent.end() :] if percent else rest
    return Number(sign * value, bool(percent)) if _counts(rest) else None


def _unsigned(text: str, language: str) -> tuple[Fraction, str] | None:
    """The number that a text begins with, and the rest."""
    if fraction := _TEX_FRACTION.match(text):
        return _divided(fraction[1], fraction[2], language, text[fraction.end() :])
    if fraction := _FRACTION.match(text):
        return _divided(fraction[1], fraction[2], language, text[fraction.end() :])
    if (power := _POWER.match(text)) and not power["times"]:
        return Fraction(10) ** int(power["long"] or power["short"]), text[power.end() :]
    digits = _NUMBER.match(text)
    if not digits:
        return None
    written = digits[0]
    rest = text[digits.end() :]
    mixed = re.match(rf"({_DIGITS}) ({_DIGITS}) ?/ ?({_DIGITS})", text)
    if mixed and int(mixed[2]) < int(mixed[3]):
        return int(mixed[1]) + Fraction(int(mixed[2]), int(mixed[3])), text[mixed.end() :]
    value = _decimal(written, language)
    if value is None:
        return None
    if fraction := _TEX_FRACTION.match(rest.lstrip()):
        part = _divided(fraction[1], fraction[2], language, rest.lstrip()[fraction.end() :])
        return (value + part[0], part[1]) if part and value.denominator == 1 and 0 < part[0] < 1 else None
    if power := re.match(rf" ?(?=\*)(?:{_POWER.pattern})", rest):
        return value * Fraction(10) ** int(power["long"] or power["short"]), rest[power.end() :]
    if exponent := _SCIENTIFIC.match(rest):
        return value * Fraction(10) ** int(exponent[1]), rest[exponent.end() :]
    return value, rest


def _divided(above: str, below: str, language: str, rest: str) -> tuple[Fraction, str] | None:
    top, bottom = _decimal(above.strip(), language), _decimal(below.strip(), language)
    return (top / bottom, rest) if top is not None and bottom else None


def _decimal(written: str, language: str) -> Fraction | None:
    """Digits with separators. A comma before three digits sets thousands apart, in Russian it begins the decimals."""
    written = written.strip()
    comma = r"(?:,\d{3})+" if language != "ru" else r"(?:,\d{3}){2,}"
    forms = (
        (rf"\d{{1,3}}{comma}(?:\.\d+)?", ",", "."),
        (r"\d{1,3}(?:[ ']\d{3})+(?:\.\d+)?", " '", "."),
        (r"\d{1,3}(?: \d{3})+,\d+", " ", ","),
        (r"\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?|\d{1,3}\.\d{3},\d+", ".", ","),
        (r"\d*\.?\d+", "", "."),
        (r"\d+,\d+", "", ","),
    )
    for form, thousands, decimals in forms:
        if re.fullmatch(form, written):
            digits = "".join(char for char in written if char not in thousands)
            return Fraction(digits.replace(decimals, "."))
    return None


def _counts(rest: str) -> bool:
    """Whether what follows a number says no more than what is counted."""
    rest = rest.strip(" .。*_`")
    if not rest:
        return True
    if re.search(r"[\d=+*^\\<>≤≥|{}]|\b(?:and|or|to|и|или)\b|[或和]", rest):
        return False
    first = re.match(r"[A-Za-z]+(?:/[A-Za-z]+)?", rest)
    return not first or len(first[0]) > 1 or first[0] in _UNITS or rest in _UNITS
