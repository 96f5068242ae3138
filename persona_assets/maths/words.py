"""Number words of English, Chinese and Russian, up to millions; halves, thirds and the like."""

import re
from dataclasses import dataclass
from fractions import Fraction

_EN = {
    **{"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9},
    **{"ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16},
    **{"seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50},
    **{"sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90},
}
_EN_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_EN_PARTS = {
    **{"half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7},
    **{"eighth": 8, "ninth": 9, "tenth": 10, "hundredth": 100},
}
_RU = {
    **{"ноль": 0, "нуль": 0, "один": 1, "одна": 1, "одно": 1, "два": 2, "две": 2, "три": 3, "четыре": 4, "пять": 5},
    **{"шесть": 6, "семь": 7, "восемь": 8, "девять": 9, "десять": 10, "одиннадцать": 11, "двенадцать": 12},
    **{"тринадцать": 13, "четырнадцать": 14, "пятнадцать": 15, "шестнадцать": 16, "семнадцать": 17},
    **{"восемнадцать": 18, "девятнадцать": 19, "двадцать": 20, "тридцать": 30, "сорок": 40, "пятьдесят": 50},
    **{"шестьдесят": 60, "семьдесят": 70, "восемьдесят": 80, "девяносто": 90, "сто": 100, "двести": 200},
    **{"триста": 300, "четыреста": 400, "пятьсот": 500, "шестьсот": 600, "семьсот": 700, "восемьсот": 800},
    "девятьсот": 900,
}
_RU_SCALES = {"тысяч": 1000, "миллион": 10**6, "миллиард": 10**9}
_RU_PARTS = {"втор": 2, "трет": 3, "четверт": 4, "пят": 5, "шест": 6, "седьм": 7, "восьм": 8, "девят": 9, "десят": 10}
_RU_WHOLE = {"половина": Fraction(1, 2), "полтора": Fraction(3, 2), "полторы": Fraction(3, 2), "треть": Fraction(1, 3),
             "четверть": Fraction(1, 4)}  # fmt: skip
_ZH = {char: value for value, char in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "俩": 2}
_ZH_UNITS = {"十": 10, "百": 100, "千": 1000}
_ZH_SCALES = {"亿": 10**8, "万": 10**4}  # the greatest first
_ZH_NUMBER = "[零〇一二两三四五六七八九十百千万亿点]"


@dataclass(frozen=True, slots=True)
class Number:
    """An exact number; of a percentage the figure before the sign."""

    value: Fraction
    percent: bool = False


def in_words(text: str, language: str = "en") -> Number | None:
    """The number that a text begins with in words, where only what is counted follows; None where there is none."""
    if re.search(r"\d", text):
        return None
    readers = {"en": (_english,), "zh": (_chinese,), "ru": (_russian,)}.get(language, (_english,))
    for read in dict.fromkeys((*readers, _english, _chinese, _russian)):
        if (found := read(text.strip())) is not None:
            return found
    return None


def _english(text: str) -> Number | None:
    words = re.sub(r"[-,]", " ", text.lower()).split()
    negative = words[:1] in (["minus"], ["negative"])
    words = words[1:] if negative else words
    value, used = _english_whole(words)
    rest = words[used:]
    if used and rest[:1] and rest[0].removesuffix("s") in _EN_PARTS:
        value, rest = Fraction(value, _EN_PARTS[rest[0].removesuffix("s")]), rest[1:]
    elif used and rest[:3] in (["and", "a", "half"],):
        value, rest = value + Fraction(1, 2), rest[3:]
    elif used and rest[:1] == ["point"] and all(word in _EN and _EN[word] < 10 for word in rest[1:2]):
        digits = []
        while len(rest) > 1 and rest[1] in _EN and _EN[rest[1]] < 10:
            digits.append(str(_EN[rest.pop(1)]))
        value, rest = value + Fraction("0." + "".join(digits)), rest[1:]
    elif not used and words[:1] in (["half"], ["a"]):
        at = 1 if words[0] == "a" else 0
        if words[at : at + 1] and words[at] in _EN_PARTS:
            value, rest, used = Fraction(1, _EN_PARTS[words[at]]), words[at + 1 :], 1
    if not used or any(word in _EN or word in _EN_SCALES or word in ("and", "or", "to") for word in rest):
        return None
    percent = rest[:1] == ["percent"] or rest[:2] == ["per", "cent"]
    return Number(-Fraction(value) if negative else Fraction(value), percent)


def _english_whole(words: list[str]) -> tuple[Fraction, int]:
    total = part = used = 0
    for place, word in enumerate(words):
        if word in _EN:
            part += _EN[word]
        elif word in _EN_SCALES and used:
            scale = _EN_SCALES[word]
            if scale == 100:
                part = max(part, 1) * 100
            else:
                total, part = total + max(part, 1) * scale, 0
        elif (
            word == "and"
            and used
            and words[place + 1 : place + 2]
            and words[place + 1] in _EN
            and part % 100 == 0
            and part
        ):
            continue
        else:
            break
        used = place + 1
    return Fraction(total + part), used


def _chinese(text: str) -> Number | None:
    sign = -1 if text[:1] == "负" else 1
    text = text.removeprefix("负")
    if found := re.match(rf"百分之({_ZH_NUMBER}{{1,20}})", text):
        value = _chinese_number(found[1])
        return None if value is None else Number(sign * value, percent=True)
    if found := re.match(rf"({_ZH_NUMBER}{{1,20}})分之({_ZH_NUMBER}{{1,20}})", text):
        below, above = _chinese_number(found[1]), _chinese_number(found[2])
        return Number(sign * above / below) if above is not None and below else None
    if text == "一半" or text.startswith("一半"):
        return Number(Fraction(sign, 2))
    found = re.match(rf"{_ZH_NUMBER}{{1,30}}", text)
    if not found or re.search(rf"{_ZH_NUMBER}|[或和]", text[found.end() :]):
        return None
    value = _chinese_number(found[0])
    if value is not None and text[found.end() : found.end() + 2] == "个半":
        value += Fraction(1, 2)
    return None if value is None else Number(sign * value)


def _chinese_number(text: str) -> Fraction | None:
    whole, point, decimals = text.partition("点")
    if not whole or (point and (not decimals or any(char not in _ZH for char in decimals))):
        return None
    after = Fraction("0." + "".join(str(_ZH[char]) for char in decimals)) if point else Fraction(0)
    return _chinese_whole(whole) + after


def _chinese_whole(text: str) -> int:
    for scale, value in _ZH_SCALES.items():
        above, found, below = text.rpartition(scale)
        if found:
            return (_chinese_whole(above) or 1) * value + _chinese_whole(below)
    if len(text) > 1 and all(char in _ZH for char in text):  # figure by figure, as of a year
        return int("".join(str(_ZH[char]) for char in text))
    total = digit = 0
    for char in text:
        if char in _ZH:
            digit = _ZH[char]
        else:
            total, digit = total + (digit or 1) * _ZH_UNITS[char], 0
    return total + digit


def _russian(text: str) -> Number | None:
    words = re.sub(r"[-,]", " ", text.lower().replace("ё", "е")).split()
    negative = words[:1] == ["минус"]
    words = words[1:] if negative else words
    if words and words[0] in _RU_WHOLE:
        value, rest = _RU_WHOLE[words[0]], words[1:]
    else:
        value, used = _russian_whole(words)
        if not used:
            return None
        rest = words[used:]
        part = next((below for stem, below in _RU_PARTS.items() if rest and rest[0].startswith(stem)), 0)
        if part:
            value, rest = value / part, rest[1:]
        elif rest[:2] == ["с", "половиной"]:
            value, rest = value + Fraction(1, 2), rest[2:]
    if any(word in _RU or word in ("и", "или", "до") for word in rest):
        return None
    percent = bool(rest) and rest[0].startswith("процент")
    return Number(-value if negative else value, percent)


def _russian_whole(words: list[str]) -> tuple[Fraction, int]:
    total = part = used = 0
    for place, word in enumerate(words):
        scale = next((value for stem, value in _RU_SCALES.items() if word.startswith(stem)), 0)
        if word in _RU:
            part += _RU[word]
        elif scale:
            total, part = total + max(part, 1) * scale, 0
        else:
            break
        used = place + 1
    return Fraction(total + part), used
