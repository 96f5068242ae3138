"""Why a pair of answers may not stand: rules on a frame of pairs, each row one instruction answered from two poles."""

from collections.abc import Sequence
from fractions import Fraction

import polars as pl

from persona_assets.contrast.figures import code_of, numbers_apart
from persona_assets.contrast.meaning import similarities
from persona_assets.contrast.words import first_word

EMPTY, IDENTICAL, NAMES_TYPE = "empty", "identical", "names_type"
CODE_DIFFERS, NUMBERS_DIFFER, TOO_ALIKE = "code_differs", "numbers_differ", "too_alike"
REASONS = (
    EMPTY,
    IDENTICAL,
    NAMES_TYPE,
    CODE_DIFFERS,
    NUMBERS_DIFFER,
    TOO_ALIKE,
)  # in their order
CEILING = 0.95  # cosine of the answers of a pair; above it they hardly differ
OUT = {"reason": pl.String, "detail": pl.String}
_SHOWN, _SHOWN_DIGITS = 5, 20  # numbers of a detail, and characters of each
_STATES = r"\p{Nd}|```|~~~"  # what a text with numbers or code holds

Verdict = tuple[str, str] | tuple[None, None]  # reason and detail


def form(text: pl.Expr) -> pl.Expr:
    """A text by which two are the same: without regard to case, width of letters and spaces; "" where it is null."""
    return text.fill_null("").str.normalize("NFKC").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()


def pair_reasons(pairs: pl.DataFrame) -> pl.DataFrame:
    """Why each pair may not stand, by its texts alone.

    `pairs` has a row for each pair, with the strings `language` (ISO 639-1), `instruction`, `one` and `other` (the two
    answers; null counts as empty). The result has the same height and order, with `reason` (one of `REASONS`, null
    where the pair may stand) and `detail` (what was seen; null where `reason` is). The first one that holds is told:

    - `empty`: an answer has no text;
    - `identical`: both say the same, whatever the case and spaces;
    - `names_type`: an answer names a pole, a type or the theory of types;
    - `code_differs`: their blocks of code are not the same, comments aside;
    - `numbers_differ`: both state numbers, and not the same ones.
    """
    one, other = form(pl.col("one")), form(pl.col("other"))
    words = [first_word(pl.col(side).fill_null("")) for side in ("one", "other")]
    states = [pl.col(side).fill_null("").str.contains(_STATES) for side in ("one", "other")]
    found = pairs.select(
        pl.when(one == "")
        .then(_told(EMPTY, pl.lit("one has no text")))
        .when(other == "")
        .then(_told(EMPTY, pl.lit("other has no text")))
        .when(one == other)
        .then(_told(IDENTICAL, pl.lit("one and other are the same")))
        .when(words[0].is_not_null())
        .then(_told(NAMES_TYPE, pl.format("one: {}", words[0])))
        .when(words[1].is_not_null())
        .then(_told(NAMES_TYPE, pl.format("other: {}", words[1])))
        .otherwise(None)
        .alias("found"),
        stating=pl.any_horizontal(states),
    ).with_row_index()
    reasons = found["found"].struct.unnest()
    read = found.filter(reasons["reason"].is_null() & pl.col("stating"))["index"]
    stated = [_stated(*row) for row in pairs[read].select("language", "one", "other").iter_rows()]
    late = pl.DataFrame(stated, schema=OUT, orient="row").with_columns(index=read)
    return (
        reasons.with_row_index()
        .join(late, on="index", how="left", maintain_order="left")
        .select(pl.coalesce(name, f"{name}_right").alias(name) for name in OUT)
    )


def _told(reason: str, detail: pl.Expr) -> pl.Expr:
    return pl.struct(reason=pl.lit(reason), detail=detail)


def _stated(language: str | None, one: str, other: str) -> Verdict:
    blocks = code_of(one), code_of(other)
    if blocks[0] != blocks[1]:
        return CODE_DIFFERS, f"one has {len(blocks[0])} and other {len(blocks[1])} blocks of code, not the same"
    mine, theirs = numbers_apart(one, other, language or "en")
    if mine or theirs:
        return NUMBERS_DIFFER, f"only one: {_listed(mine)}; only other: {_listed(theirs)}"
    return None, None


def _listed(numbers: Sequence[Fraction]) -> str:
    shown = ", ".join(_figure(one) for one in numbers[:_SHOWN])
    return (shown or "none") + (f" and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else "")


def _figure(one: Fraction) -> str:
    exact = str(one) if one.denominator == 1 or abs(one) > 10**15 else f"{float(one):g}"
    return exact if len(exact) <= _SHOWN_DIGITS else f"{exact[:_SHOWN_DIGITS]}…"


def alike_reasons(pairs: pl.DataFrame, ceiling: float = CEILING, encoder: str = "") -> pl.DataFrame:
    """`too_alike` for each pair whose answers have a cosine above `ceiling`. In and out are as of `pair_reasons`.

    Raises:
        PersonaAssetsError: the encoder cannot be loaded.
    """
    return (
        similarities(pairs, encoder)
        .to_frame()
        .select(
            reason=pl.when(pl.col("similarity") > ceiling).then(pl.lit(TOO_ALIKE)),
            detail=pl.when(pl.col("similarity") > ceiling).then(
                pl.format("cosine {} is above {}", pl.col("similarity").round(3), pl.lit(ceiling))
            ),
        )
    )
