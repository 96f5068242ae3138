"""Open situations: what a file declares."""

from typing import Any

import polars as pl
from pydantic import Field, model_validator

from persona_assets.errors import did_you_mean
from persona_assets.questionnaires.questionnaire import Dimension, Part, Text, parsed, told_by

TEXTS = ("title", "dimensions", "situations")

COLUMNS: dict[str, Any] = {
    "situation": pl.String,
    "language": pl.String,
    "text": pl.String,
    "dimension": pl.String,
    "place": pl.Int64,
    "first_pole": pl.String,
    "second_pole": pl.String,
    "first_manner": pl.String,
    "second_manner": pl.String,
}


class Between(Dimension):
    """A dimension with the manner of each of its poles, by language."""

    manners: dict[str, Text]

    @model_validator(mode="after")
    def _has_manners(self) -> "Between":
        for pole in self.poles:
            if pole not in self.manners:
                raise ValueError(f"manners has none of {pole}, which is a pole; {did_you_mean(pole, self.manners)}")
        if stray := [pole for pole in self.manners if pole not in self.poles]:
            raise ValueError(f"manners has {stray[0]}, which is no pole; {did_you_mean(stray[0], self.poles)}")
        return self


class Situation(Part):
    """A situation that is answered freely, and of which dimension the answer tells."""

    id: str = Field(min_length=1)
    dimension: str = Field(min_length=1)
    text: Text = Field(min_length=1)


class Situations(Part):
    """What a file declares; every text is by language."""

    title: str = ""
    dimensions: tuple[Between, ...] = Field(min_length=1)
    situations: tuple[Situation, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> "Situations":
        known = {one.id: one for one in self.dimensions}
        if len(known) < len(self.dimensions):
            raise ValueError("two dimensions have one id")
        seen = set[str]()
        for one in self.situations:
            if one.id in seen:
                raise ValueError(f"situation {one.id} stands there twice: give each an id of its own")
            seen.add(one.id)
            if one.dimension not in known:
                said = f"there is no dimension {one.dimension}; {did_you_mean(one.dimension, known)}"
                raise ValueError(f"situation {one.id}: {said}")
            for pole, manner in known[one.dimension].manners.items():
                if missing := [language for language in one.text if not manner.get(language, "").strip()]:
                    raise ValueError(f"situation {one.id} is in {missing[0]}, and the manner of {pole} is not")
        return self


def situations_of(rows: pl.DataFrame) -> tuple[str, Situations] | None:
    """The situations of a partition of the data files, with the name of its file; None where there are none.

    Raises:
        UsageError: the file holds no such thing; the message names file and situation or key.
    """
    found = told_by(rows)
    return (found[0], parsed(Situations, *found)) if found else None


def rows_of(found: Situations) -> pl.DataFrame:
    """A row for each situation and language, with the columns of `COLUMNS`."""
    of = {one.id: (place, one) for place, one in enumerate(found.dimensions)}
    rows = []
    for one in found.situations:
        place, between = of[one.dimension]
        first, second = between.poles
        rows += [
            {
                "situation": one.id,
                "language": language,
                "text": text,
                "dimension": one.dimension,
                "place": place,
                "first_pole": first,
                "second_pole": second,
                "first_manner": between.manners[first][language],
                "second_manner": between.manners[second][language],
            }
            for language, text in one.text.items()
        ]
    return pl.DataFrame(rows, schema=COLUMNS)
