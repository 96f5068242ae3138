r"""Problems with their right answers from benchmark files, in the layouts that there are.

| layout | the right answer is |
| --- | --- |
| GSM8K | what follows `####` in `answer` |
| MATH | `answer`; where there is none, the last `\boxed{...}` of `solution` |
| plain | `answer`, a text or a number, beside `question`, `problem` or `prompt` |

Files are JSON lines, JSON, Parquet, CSV or TSV, and may be compressed.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from persona_assets.contamination.items import QUESTIONS, Item, item_of, read_rows
from persona_assets.errors import UsageError
from persona_assets.evaluation.tables import ITEMS, MATHS
from persona_assets.ids import Json, digest
from persona_assets.maths.compare import LONGEST
from persona_assets.maths.solution import final_answer
from persona_assets.text.language import told_language

GOLDS = ("answer", "final_answer", "expected_answer", "gold", "target", "solution", "response", "output")
_WORKED = ("solution", "response", "output")  # texts that lead to an answer, and hold it
_LANGUAGES = ("language", "lang")
_MARKS = ("\\boxed", "\\fbox", "####")


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem: its file and number from 1, its own id or "", what is asked, the right answer, and the language."""

    file: str
    number: int
    name: str
    question: str
    gold: str
    language: str


def read_problems(
    path: Path, name: str, key: str | None = None, answer: str | None = None, language: str | None = None
) -> Iterator[Problem]:
    """The problems of a file, in its order.

    `key` and `answer` name the keys of question and answer where they are none of those known. `language` is that of
    all; else a row's `language` says it, or the question itself.

    Raises:
        UsageError: there is no such file, or a row has no question or no answer, or cannot be read.
        PersonaAssetsError: the file is damaged.
    """
    remedy = "or name it in the recipe (`question`)"
    for item, values in read_rows(path, name, key, remedy):
        yield _problem(item, values, path, key, answer, language)


def problems_of(
    rows: Iterable[Mapping[str, Json]], name: str, key: str | None = None, answer: str | None = None
) -> Iterator[Problem]:
    """The problems of rows that were read, each with its `place` from 0; what is null there is not there.

    Raises:
        UsageError: a row has no question or no answer.
    """
    for row in rows:
        values = {column: value for column, value in row.items() if value is not None}
        yield _problem(item_of(values, name, int(row["place"]) + 1, key), values, Path(name), key, answer, None)


def _problem(
    item: Item, values: Mapping[str, Json], path: Path, key: str | None, answer: str | None, language: str | None
) -> Problem:
    if not item.question:
        raise UsageError(f"{path}: row {item.number} has no question: {_why(values, key, QUESTIONS, 'question')}")
    told = language or next((one for at in _LANGUAGES if isinstance(one := values.get(at), str) and one), None)
    told = told or told_language([item.question])[0]
    gold = _gold(values, (answer,) if answer else GOLDS, told)
    if not gold:
        raise UsageError(f"{path}: row {item.number} has no answer: {_why(values, answer, GOLDS, 'answer')}")
    return Problem(item.file, item.number, item.name, item.question, gold, told)


def file_items(problems: Iterable[Problem], suite: str) -> pl.DataFrame:
    """Problems as items of a suite: its columns of `tables.ITEMS` that do not hang on who is asked.

    Ids follow from the suite, the file's name, and number and text of the question. Each item is a family of its own.
    """
    rows = [
        {"item_id": digest(f"{suite}/{one.file}/{one.number}/{one.question}".encode()), "language": one.language,
         "prompt": one.question, "gold": one.gold}
        for one in problems
    ]  # fmt: skip
    schema = {name: ITEMS[name] for name in ("item_id", "language", "prompt", "gold")}
    return pl.DataFrame(rows, schema=schema).with_columns(suite=pl.lit(suite), kind=pl.lit(MATHS), family="item_id")


def _gold(values: Mapping[str, Json], keys: tuple[str, ...], language: str) -> str:
    """The right answer of a row: of the first key that holds one."""
    found = (_read(_text(values.get(key)), language, worked=key in _WORKED) for key in keys)
    return next(filter(None, found), "")


def _read(text: str, language: str, *, worked: bool) -> str:
    worked = worked or any(mark in text for mark in _MARKS) or len(text) > LONGEST
    return final_answer(text, language) if worked else text


def right_answer(text: str, language: str) -> str:
    """The right answer that a text is, or that stands at the end of its working; "" where none can be told."""
    return _read(text.strip(), language, worked=False)


def _text(value: Json) -> str:
    """A text or a number as a text; a list of one counts as that one."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    if isinstance(value, float) and not math.isfinite(value):
        return ""
    return value.strip() if isinstance(value, str) else f"{value:.17g}" if isinstance(value, float) else str(value)


def _why(values: Mapping[str, Json], named: str | None, known: tuple[str, ...], what: str) -> str:
    looked = f"key {named!r} holds none" if named else f"none of the keys {', '.join(known)} holds one"
    keys = ", ".join(repr(key[:60]) for key in list(values)[:30])
    return f"{looked}; its keys are: {keys}. Mend the row, take it out, or name the key in the recipe (`{what}`)"
