"""The shares of a survey, by round and group."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from persona_assets.errors import UsageError
from persona_assets.surveys.shares import effective, kolmogorov_smirnov, raked, total_variation, wilson
from persona_assets.surveys.survey import ALL, Survey

COLUMNS = {
    "round": pl.Int64,
    "by": pl.String,
    "value": pl.String,
    "option": pl.String,
    "asked": pl.Int64,
    "answered": pl.Int64,
    "refused": pl.Int64,
    "unanswered": pl.Int64,
    "chose": pl.Int64,
    "share": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "weighted_share": pl.Float64,
    "weighted_low": pl.Float64,
    "weighted_high": pl.Float64,
    "effective_size": pl.Float64,
    "real_share": pl.Float64,
    "total_variation": pl.Float64,
    "ks": pl.Float64,
}
NULLABLE = (
    *("share", "low", "high", "weighted_share", "weighted_low", "weighted_high", "effective_size"),
    *("real_share", "total_variation", "ks"),
)


def counted(survey: Survey, file: str, people: pl.DataFrame, number: int) -> Iterator[dict[str, Any]]:
    """The rows of one round: for everybody and each value of an attribute, a row for each option in the file's order.

    `people` has a row for each respondent: `sample_id`, `answer_id` (null where no answer was kept), `choice` (null in
    an answer that refuses) and the attributes.

    Raises:
        UsageError: no weights meet the margins; the message names the file.
    """
    chose = people["choice"].to_list()
    has_chosen = np.array([one is not None for one in chose], dtype=bool)
    weights = _weights(survey, file, people, has_chosen) if survey.margins else None
    whole = np.ones(people.height, dtype=bool)
    yield from _group(survey, people, number, (ALL, ALL), whole, weights)
    for name in survey.groups:
        values = people[name].cast(pl.String)
        for value in values.drop_nulls().unique().sort():
            inside = (values == value).fill_null(value=False).to_numpy()
            yield from _group(survey, people, number, (name, value), inside, weights)


def _weights(
    survey: Survey, file: str, people: pl.DataFrame, has_chosen: NDArray[np.bool_]
) -> NDArray[np.float64] | None:
    """A weight by respondent, 0 for one who chose nothing; None where nobody did."""
    if not has_chosen.any():
        return None
    try:
        found = raked(people.filter(pl.Series(has_chosen)), survey.margins)
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from error
    weights = np.zeros(people.height)
    weights[has_chosen] = found
    return weights


def _group(
    survey: Survey,
    people: pl.DataFrame,
    number: int,
    group: tuple[str, str],
    inside: NDArray[np.bool_],
    weights: NDArray[np.float64] | None,
) -> Iterator[dict[str, Any]]:
    own = people.filter(pl.Series(inside))
    options = [option.id for option in survey.options]
    chose = own["choice"].to_list()
    counts = [chose.count(option) for option in options]
    size = sum(counts)
    shares = [count / size for count in counts] if size else None
    weighted, enough = _weighted(options, chose, weights[inside]) if weights is not None else (None, None)
    real = survey.real.of(*group) if survey.real else None
    known = [real.get(option, 0.0) for option in options] if real else None
    best = weighted or shares
    answered = own["answer_id"].count()
    about = {
        "parent_ids": own["sample_id"].sort().to_list(),
        "answer_ids": own["answer_id"].drop_nulls().sort().to_list(),
        "round": number,
        "by": group[0],
        "value": group[1],
        "asked": own.height,
        "answered": size,
        "refused": answered - size,
        "unanswered": own.height - answered,
        "effective_size": enough,
        "total_variation": total_variation(best, known) if best and known else None,
        "ks": kolmogorov_smirnov(best, known) if best and known and survey.ordered else None,
    }
    for at, option in enumerate(options):
        low, high = wilson(shares[at], size) if shares else (None, None)
        weighted_low, weighted_high = wilson(weighted[at], enough) if weighted and enough else (None, None)
        yield about | {
            "option": option,
            "chose": counts[at],
            "share": shares[at] if shares else None,
            "low": low,
            "high": high,
            "weighted_share": weighted[at] if weighted else None,
            "weighted_low": weighted_low,
            "weighted_high": weighted_high,
            "real_share": known[at] if known else None,
        }


def _weighted(
    options: Sequence[str], chose: Sequence[str | None], weights: NDArray[np.float64]
) -> tuple[list[float] | None, float | None]:
    """The weighted shares, and how many answers they are worth; nothing where no answer has a weight."""
    size = float(weights.sum())
    if not size:
        return None, None
    chosen = np.array(chose, dtype=object)
    return [float(weights[chosen == option].sum()) / size for option in options], effective(weights)
