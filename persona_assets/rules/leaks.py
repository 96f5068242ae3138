"""What somebody of an earlier time says and could not know: terms of later times, and later years.

A *leak* is a term that came up after the last year of a character's life (`dated_terms`), or a later year or century
that is named. It is told from the words alone, so what somebody foresees of a later year is one too.
"""

import re
from collections.abc import Iterator

import polars as pl

from persona_assets.errors import UsageError
from persona_assets.rules.dated_terms import find
from persona_assets.rules.patterns import pattern
from persona_assets.rules.registry import rule
from persona_assets.rules.sample import Sample
from persona_assets.rules.scripts import Line, is_called, lines_of, names_of, told_of
from persona_assets.rules.texts import spans

SCHEMA = pl.Schema(
    {
        "row": pl.UInt32,
        "kind": pl.String,
        "term": pl.String,
        "year": pl.Int32,
        "start": pl.UInt32,
        "end": pl.UInt32,
    }
)
_MAY_TELL = r"(?i)[12１２]\d{3}|centur|век|столети|世纪|年"  # what a text has that names a year
_YEAR = re.compile(r"[12１２]\d{3}")
_DIGITS = {digit: str(value) for value, digits in enumerate(("〇零○", *"一二三四五六七八九")) for digit in digits}
_CENTURIES = {
    **{"sixteenth": 16, "seventeenth": 17, "eighteenth": 18, "nineteenth": 19, "twentieth": 20, "twenty first": 21},
    **{"шестнадцат": 16, "семнадцат": 17, "восемнадцат": 18, "девятнадцат": 19, "двадцат": 20, "двадцать перв": 21},
    **{"十一": 11, "十二": 12, "十三": 13, "十四": 14, "十五": 15, "十六": 16, "十七": 17, "十八": 18, "十九": 19},
    **{"二十": 20, "二十一": 21, "xi": 11, "xii": 12, "xiii": 13, "xiv": 14, "xv": 15, "xvi": 16, "xvii": 17},
    **{"xviii": 18, "xix": 19, "xx": 20, "xxi": 21},
}
_CENTURY = re.compile(rf"\d\d|{'|'.join(sorted(_CENTURIES, key=len, reverse=True))}")
_HAN = re.compile("[\u3400-\u9fff]")
_WORD = re.compile(r"[^\W_]+")
_LEAST = 4  # letters of a word that says what is meant
_ENDING = 2  # letters that a word may lose or change in a sentence
_SHOWN = 80


def leaks(texts: pl.Series, last_years: pl.Series, asked: pl.Series | None = None) -> pl.DataFrame:
    """The leaks of texts in English, Chinese and Russian, each text in any of them.

    Args:
        texts: What characters say, one text each; null is "".
        last_years: The last year that each character can know, negative before our era; null of one who lives today or
            in no time that is known, who has no leaks.
        asked: What was said to the character before, or null. A term or year of it counts only where the character's
            own sentence neither asks nor says that it is unknown: "A telephone? I know no such thing" is no leak.

    Returns:
        A row for each leak, by text and place: `row` the number of the text from 0, `kind` `term` or `year`, `term` the
        id of the term or the year as it stands there, `year` from when it could be known, `start` and `end` characters.

    Raises:
        UsageError: the series are not of one length.
    """
    sizes = {len(one) for one in (texts, last_years, asked) if one is not None}
    if len(sizes) > 1:
        raise UsageError(f"leaks: texts, last_years and asked have {sorted(sizes)} rows; give one of each per text")
    said = pl.Series([None] * len(texts), dtype=pl.String) if asked is None else asked.cast(pl.String)
    dated = (
        pl.DataFrame({"text": texts.cast(pl.String), "last": last_years.cast(pl.Int32), "asked": said})
        .with_row_index("row")
        .filter(pl.col("last").is_not_null(), pl.col("text").is_not_null())
        .with_row_index("number")
    )
    later = (
        _found(dated["text"]).join(dated, on="number", maintain_order="left").filter(pl.col("year") > pl.col("last"))
    )
    heard = later.unique("number").filter(pl.col("asked").is_not_null()).select("row", "asked")
    told = (
        _found(heard["asked"]).join(heard.with_row_index("number"), on="number").select("row", "kind", "term").unique()
    )
    echoed = later.join(told, on=("row", "kind", "term"), how="semi")
    unknown = [_is_unknown(text, start) for text, start in echoed.select("text", "start").iter_rows()]
    pardoned = echoed.filter(pl.Series(unknown, dtype=pl.Boolean))
    return later.join(pardoned, on=("row", "start", "end"), how="anti", maintain_order="left").select(
        pl.col(name).cast(dtype) for name, dtype in SCHEMA.items()
    )


def _found(texts: pl.Series) -> pl.DataFrame:
    """All terms and years of texts, with the number of the text, by text and place."""
    terms = [("term", *one) for one in find(texts)]
    tells = texts.str.contains(_MAY_TELL).arg_true().to_list()
    years = [("year", number, *one) for number in tells for one in _years(texts[number])]
    schema = pl.Schema({"kind": pl.String, "number": pl.UInt32, "term": pl.String, "year": pl.Int32})
    places = pl.Schema({"start": pl.UInt32, "end": pl.UInt32})
    found = pl.DataFrame([*terms, *years], schema=pl.Schema([*schema.items(), *places.items()]), orient="row")
    return found.sort("number", "start", maintain_order=True)


def _years(text: str) -> Iterator[tuple[str, int, int, int]]:
    """The years and centuries that a text names: as it stands there, the (first) year, and where."""
    for one in pattern("year_told").finditer(text):
        number = _YEAR.search(one.group())
        if number:
            yield number.group(), int(number.group()), one.start() + number.start(), one.start() + number.end()
        else:
            told = "".join(_DIGITS.get(letter, "") for letter in one.group())
            yield one.group(), int(told), one.start(), one.end()
    for one in pattern("century_told").finditer(text):
        if named := _CENTURY.search(one.group().lower().replace("-", " ")):
            century = _CENTURIES.get(named.group()) or int(named.group())
            yield one.group(), 100 * (century - 1) + 1, one.start(), one.end()


def _is_unknown(text: str, place: int) -> bool:
    """Whether the sentence at a place asks, or says that something is unknown."""
    first, last = next((one for one in spans(text) if one[0] <= place < one[1]), (0, len(text)))
    return pattern("not_known").search(text[first:last]) is not None


@rule()
def no_leak(sample: Sample, field: str, last_year: str = "last_year") -> str | None:
    """The character says and thinks nothing that came up after its time.

    `last_year` is the column that tells the last year that it can know; where that is null, nothing is refused. What
    somebody else said before may be taken up in a sentence that asks what it is, or says that it is unknown.
    """
    last = told_of(sample, last_year)
    if not isinstance(last, int):
        return None
    own = _own(sample, field)
    found = leaks(
        pl.Series([line.text for line, _ in own], dtype=pl.String),
        pl.Series([last] * len(own), dtype=pl.Int32),
        pl.Series([heard for _, heard in own], dtype=pl.String),
    )
    for number, year, start, end in found.select("row", "year", "start", "end").head(1).iter_rows():
        line: Line = own[number][0]
        return f"turn {line.number} speaks of what nobody knew before {year}: {line.text[start:end][:_SHOWN]}"
    return None


@rule()
def honest_ignorance(sample: Sample, field: str, thing: str) -> str | None:
    """The character says that it does not know what it is asked about, and tells nothing of it.

    `thing` is the column of the row asked about that names it. A sentence of the character's that names it asks,
    denies, doubts, or calls it the other's word.
    """
    own = [line for line, _ in _own(sample, field)]
    if not any(pattern("not_known").search(line.text) for line in own):
        return "nowhere does the character say that something is unknown to it, or ask"
    stems = _stems(str(told_of(sample, thing) or ""))
    for line in own:
        for start, end in spans(line.text):
            said = line.text[start:end]
            if stems and all(stem in _plain(said) for stem in stems) and not _claims_nothing(said):
                return f"turn {line.number} tells of what the character cannot know: {said.strip()[:_SHOWN]}"
    return None


def _own(sample: Sample, field: str) -> list[tuple[Line, str]]:
    """The character's lines, each with all that others said before it."""
    names, heard, found = names_of(sample), "", []
    for line in lines_of(sample, field):
        if is_called(line.speaker, names):
            found.append((line, heard))
        else:
            heard = f"{heard}\n{line.text}"
    return found


def _claims_nothing(text: str) -> bool:
    return pattern("claims_nothing").search(text) is not None or pattern("not_known").search(text) is not None


def _stems(thing: str) -> list[str]:
    """The words of a thing without the endings that they may have in a sentence; articles and the like are left out."""
    return [word[: max(_LEAST, len(word) - _ENDING)] for word in _plain(thing).split() if len(word) >= _LEAST] or (
        [_plain(thing)] if _HAN.search(thing) else []
    )


def _plain(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold().replace("ё", "е")))
