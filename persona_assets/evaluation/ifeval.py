"""Requests with constraints that a program can check, from benchmark files in the layout of IFEval (arXiv 2311.07911).

A row has a `prompt`, the names of its constraints in `instruction_id_list`, and the arguments of each in `kwargs`. Each
constraint becomes those of `constraints` that say the same. Where a row has one that no checker of ours is for, the
whole row is left out: an answer counts only where it keeps to all.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from persona_assets.constraints.checkers import uncheckable
from persona_assets.constraints.constraint import Constraint, to_json
from persona_assets.constraints.words import LANGUAGES
from persona_assets.contamination.items import item_of
from persona_assets.errors import UsageError
from persona_assets.evaluation.tables import CONSTRAINTS, ITEMS, NO_CHECKER
from persona_assets.ids import Json, digest

NAMES, ARGUMENTS = "instruction_id_list", "kwargs"
_RELATIONS = ("relation", "let_relation", "capital_relation")  # keys of arguments that say at least or less than
_LESS = "less than"
# By their name, and what it says how many of: our kind, and their names of its arguments.
_SAME: Mapping[tuple[str, str], tuple[str, Mapping[str, str]]] = {
    ("change_case:capital_word_frequency", "at least"): ("capital_words", {"n": "capital_frequency"}),
    ("change_case:english_capital", ""): ("capitals", {}),
    ("change_case:english_lowercase", ""): ("lower_case", {}),
    ("combination:repeat_prompt", ""): ("repeats_request", {}),
    ("detectable_content:number_placeholders", ""): ("placeholders", {"n": "num_placeholders"}),
    ("detectable_content:postscript", ""): ("postscript", {"marker": "postscript_marker"}),
    ("detectable_format:number_bullet_lists", ""): ("bullets", {"n": "num_bullets"}),
    ("detectable_format:number_highlighted_sections", ""): ("highlights", {"n": "num_highlights"}),
    ("detectable_format:title", ""): ("title", {}),
    ("keywords:frequency", "at least"): ("word_times", {"word": "keyword", "n": "frequency"}),
    ("keywords:letter_frequency", "at least"): ("letter_times", {"letter": "letter", "n": "let_frequency"}),
    ("language:response_language", ""): ("other_language", {"to": "language"}),
    ("length_constraints:number_paragraphs", ""): ("divided", {"n": "num_paragraphs"}),
    ("length_constraints:number_sentences", "at least"): ("sentences_at_least", {"n": "num_sentences"}),
    ("length_constraints:number_sentences", _LESS): ("sentences_at_most", {"n": "num_sentences"}),
    ("length_constraints:number_words", "at least"): ("words_at_least", {"n": "num_words"}),
    ("length_constraints:number_words", _LESS): ("words_at_most", {"n": "num_words"}),
    ("punctuation:no_comma", ""): ("no_commas", {}),
    ("startend:end_checker", ""): ("last_sentence", {"sentence": "end_phrase"}),
    ("startend:quotation", ""): ("quoted", {}),
}
# Those that name several words: our kind, which is of one, and their name of the list.
_EACH = {
    "keywords:existence": ("contains_word", "keywords"),
    "keywords:forbidden_words": ("avoids_word", "forbidden_words"),
}
_COLUMNS = ("item_id", "language", "prompt", "request", "gold", "left_out")


def constrained_items(rows: Iterable[Mapping[str, Any]], name: str, suite: str, key: str | None = None) -> pl.DataFrame:
    """Rows of the file `name`, each with its `place` from 0, as items of a suite; ids as of `benchmarks.file_items`.

    `gold` is the JSON of the constraints, `request` what an answer is to repeat, and `left_out` why a row is no item.

    Raises:
        UsageError: a row has no request, or no constraints with their arguments.
    """
    found = [_item(row, name, suite, key) for row in rows]
    schema = {one: ITEMS.get(one, pl.String) for one in _COLUMNS}
    return pl.DataFrame(found, schema=schema).with_columns(
        suite=pl.lit(suite), kind=pl.lit(CONSTRAINTS), family="item_id"
    )


def _item(row: Mapping[str, Any], name: str, suite: str, key: str | None) -> dict[str, Any]:
    values = {column: value for column, value in row.items() if value is not None}
    item = item_of(values, name, int(row["place"]) + 1, key)
    if not item.question:
        remedy = "mend it, take it out, or name its key in the recipe (`question`)"
        raise UsageError(f"{name}: row {item.number} has no request: {remedy}")
    told = values.get("language")
    language = told if told in LANGUAGES else "en"
    names, given = values.get(NAMES), values.get(ARGUMENTS)
    if not (isinstance(names, list) and isinstance(given, list) and names and len(names) == len(given)):
        raise UsageError(
            f"{name}: row {item.number} is not as IFEval has it: `{NAMES}` is a list of names, and `{ARGUMENTS}` one "
            "of the arguments of each; mend the row, or take it out"
        )
    each = [_known(one) for one in given]
    request = next((str(one["prompt_to_repeat"]) for one in each if one.get("prompt_to_repeat")), "")
    several = [_constraints(str(theirs), args) for theirs, args in zip(names, each, strict=True)]
    gold = to_json(tuple(one for some in several for one in some))
    lacking = not all(several) or bool(uncheckable(gold, language, request))
    return {
        "item_id": digest(f"{suite}/{item.file}/{item.number}/{item.question}".encode()),
        "language": language,
        "prompt": item.question,
        "request": request or None,
        "gold": gold,
        "left_out": NO_CHECKER if lacking else None,
    }


def _known(args: Json) -> dict[str, Json]:
    """The arguments that a constraint has: files may name those of all constraints, without a value."""
    return {name: value for name, value in args.items() if value is not None} if isinstance(args, dict) else {}


def _constraints(theirs: str, args: Mapping[str, Any]) -> list[Constraint]:
    """Our constraints that say what one of theirs does, whose name is their text; none where no checker is for it."""
    if theirs in _EACH:
        kind, words = _EACH[theirs]
        wanted = args.get(words)
        return [Constraint(kind, {"word": str(one)}, theirs) for one in wanted] if isinstance(wanted, list) else []
    relation = next((str(args[one]) for one in _RELATIONS if one in args), "")
    if (theirs, relation) not in _SAME:
        return []
    kind, names = _SAME[theirs, relation]
    if any(one not in args for one in names.values()):
        return []
    ours: dict[str, Any] = {name: args[one] for name, one in names.items()}
    if "n" in ours:
        ours["n"] = int(ours["n"]) - (relation == _LESS)
    return [Constraint(kind, ours, theirs)]
