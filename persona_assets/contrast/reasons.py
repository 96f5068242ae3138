"""Why a pair of answers may not stand: rules on a frame of pairs, each row one instruction answered from two poles."""

from collections.abc import Sequence
from fractions import Fraction

import polars as pl

from persona_assets.contrast.figures import code_of, numbers_apart
from persona_assets.contrast.words import first_word
from persona_assets.text.near import form

EMPTY, IDENTICAL, NAMES_TYPE = "empty", "identical", "names_type"
CODE_DIFFERS, NUMBERS_DIFFER, TOO_ALIKE = "code_differs", "numbers_differ", "too_alike"
BY_TEXT = (EMPTY, IDENTICAL, NAMES_TYPE, CODE_DIFFERS, NUMBERS_DIFFER)  # in the order in which they are told
REASONS = (*BY_TEXT, TOO_ALIKE)
CEILING = 0.95  # cosine of the answers of a pair; above it they hardly differ
_SHOWN, _SHOWN_DIGITS = 5, 20  # numbers of a detail, and characters of each
_STATES = r"\p{Nd}|```|~~~"  # what a text with numbers or code holds


def pair_checks(pairs: pl.DataFrame) -> pl.DataFrame:
    """What each check sees in each pair: a column for each of `BY_TEXT`, null where nothing is wrong.

    `pairs` has a row for each pair, with the strings `language` (ISO 639-1), `one` and `other` (the two answers; null
    counts as empty). Height and order stay.
    """
    sides = ("one", "other")
    forms = [form(pl.col(side)) for side in sides]
    words = [first_word(pl.col(side).fill_null("")) for side in sides]
    found = pairs.select(
        pl.coalesce(
            pl.when(text == "").then(pl.lit(f"{side} has no text")) for side, text in zip(sides, forms, strict=True)
        ).alias(EMPTY),
        pl.when(forms[0] == forms[1]).then(pl.lit("one and other are the same")).alias(IDENTICAL),
        pl.coalesce(pl.format(f"{side}: {{}}", word) for side, word in zip(sides, words, strict=True)).alias(
            NAMES_TYPE
        ),
        stating=pl.any_horizontal(pl.col(side).str.contains(_STATES) for side in sides).fill_null(value=False),
    )
    stating = found["stating"].arg_true()
    stated = [_stated(*row) for row in pairs[stating].select("language", "one", "other").iter_rows()]
    read = pl.DataFrame(stated, schema=dict.fromkeys((CODE_DIFFERS, NUMBERS_DIFFER), pl.String), orient="row")
    return (
        found.with_row_index()
        .join(read.with_columns(index=stating), on="index", how="left", maintain_order="left")
        .select(BY_TEXT)
    )


def pair_reasons(pairs: pl.DataFrame) -> pl.DataFrame:
    """Why each pair may not stand, by its texts alone.

    `pairs` is as of `pair_checks`. The result has the same height and order, with `reason` (one of `BY_TEXT`, null
    where the pair may stand) and `detail` (what was seen; null where `reason` is). The first one that holds is told:

    - `empty`: an answer has no text;
    - `identical`: both say the same, whatever the case and spaces;
    - `names_type`: an answer names a pole, a type or the theory of types;
    - `code_differs`: their blocks of code are not the same, comments aside;
    - `numbers_differ`: both state numbers, and not the same ones.
    """
    return pair_checks(pairs).select(
        reason=pl.coalesce(pl.when(pl.col(name).is_not_null()).then(pl.lit(name)) for name in BY_TEXT),
        detail=pl.coalesce(BY_TEXT),
    )


def _stated(language: str | None, one: str | None, other: str | None) -> tuple[str | None, str | None]:
    """What differs in the code and in the numbers of two texts."""
    if not one or not other or one == other:
        return None, None
    code, numbers = (code_of(one), code_of(other)), numbers_apart(one, other, language or "en")
    counts = f"one has {len(code[0])} and other {len(code[1])} blocks of code, not the same"
    return (
        counts if code[0] != code[1] else None,
        f"only one: {_listed(numbers[0])}; only other: {_listed(numbers[1])}" if any(numbers) else None,
    )


def _listed(numbers: Sequence[Fraction]) -> str:
    shown = ", ".join(_figure(one) for one in numbers[:_SHOWN])
    return (shown or "none") + (f" and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else "")


def _figure(one: Fraction) -> str:
    exact = str(one) if one.denominator == 1 or abs(one) > 10**15 else f"{float(one):g}"
    return exact if len(exact) <= _SHOWN_DIGITS else f"{exact[:_SHOWN_DIGITS]}…"


def alike_reasons(similarity: pl.Series, ceiling: float = CEILING) -> pl.DataFrame:
    """`reason` and `detail` as of `pair_reasons`: `too_alike` for each pair with a cosine above `ceiling`.

    `similarity` is the cosine of the answers of each pair, null where it is not known.
    """
    is_alike = pl.col("similarity") > ceiling
    return (
        similarity.alias("similarity")
        .to_frame()
        .select(
            reason=pl.when(is_alike).then(pl.lit(TOO_ALIKE)),
            detail=pl.when(is_alike).then(
                pl.format("cosine {} is above {}", pl.col("similarity").round(3), pl.lit(ceiling))
            ),
        )
    )
