"""A survey's file: a question with its options, who is asked, and what the shares are held to."""

from collections.abc import Mapping
from typing import Annotated, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, model_validator

from persona_assets.draws import portions
from persona_assets.errors import UsageError
from persona_assets.prompts.data_rows import row_as

NEAR = 1e-6  # how far shares may be from adding up to 1

Text = dict[str, str]  # by language, as ISO 639-1
Share = Annotated[float, Field(ge=0, le=1)]
Shares = dict[str, Share]


def adds_up(shares: Mapping[str, float], of: str) -> None:
    """That shares add up to 1.

    Raises:
        ValueError: they do not.
    """
    if abs(sum(shares.values()) - 1) > NEAR:
        raise ValueError(f"{of} add up to {sum(shares.values()):g}, not to 1")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Option(_Part):
    """One answer that can be given: a name for it, and how it is put in each language."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")
    text: Text


class Strata(_Part):
    """How many respondents have each value of an attribute: counts, or shares of the size."""

    by: str
    counts: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    shares: Shares = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> "Strata":
        if bool(self.counts) == bool(self.shares):
            raise ValueError("give either counts or shares")
        if self.shares:
            adds_up(self.shares, "shares")
        return self

    def wanted(self, size: int) -> dict[str, int]:
        """Respondents by value; shares are rounded so that they add up to `size`."""
        if self.counts:
            return dict(self.counts)
        return portions(self.shares, size)


class Real(_Part):
    """Shares that a survey of real people found, by option; `by` gives them by values of attributes too."""

    source: str = Field(min_length=1)
    shares: Shares = Field(default_factory=dict)
    by: dict[str, dict[str, Shares]] = Field(default_factory=dict)

    def of(self, by: str, value: str) -> Shares | None:
        """The shares in a group; None where the file has none."""
        return self.shares or None if by == ALL else self.by.get(by, {}).get(value)


ALL = "all"  # the group of everybody


class Survey(_Part):
    """What a file declares. Every text is by language; who speaks another language is not asked."""

    title: str = ""
    question: Text = Field(min_length=1)
    announcement: Text = Field(default_factory=dict)
    product: Text = Field(default_factory=dict)
    options: tuple[Option, ...] = Field(min_length=2)
    ordered: bool = False
    size: int = Field(ge=1)
    seed: int = 0
    where: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    strata: Strata | None = None
    by: tuple[str, ...] = ()
    margins: dict[str, Shares] = Field(default_factory=dict)
    second_round: tuple[Literal["shares", "arguments"], ...] = ()
    dialogues: int = Field(0, ge=0)
    real: Real | None = None

    @model_validator(mode="after")
    def _check(self) -> "Survey":
        ids = [option.id for option in self.options]
        if len(set(ids)) < len(ids):
            raise ValueError("two options have one id")
        for language in self.question:
            for name, text in (("announcement", self.announcement), ("product", self.product)):
                if text and language not in text:
                    raise ValueError(f"{name} has no text in {language}, which the question has")
            for option in self.options:
                if language not in option.text:
                    raise ValueError(f"the option {option.id} has no text in {language}, which the question has")
        for column, shares in self.margins.items():
            adds_up(shares, f"the margins of {column}")
        if self.strata and self.strata.counts and sum(self.strata.counts.values()) != self.size:
            raise ValueError(f"the counts of strata add up to {sum(self.strata.counts.values())}, not to the size")
        if self.real:
            self._check_real(self.real, ids)
        return self

    def _check_real(self, real: Real, ids: list[str]) -> None:
        groups = [("real.shares", real.shares)] if real.shares else []
        groups += [
            (f"real.by.{column}.{value}", shares) for column, of in real.by.items() for value, shares in of.items()
        ]
        if not groups:
            raise ValueError("real gives no shares")
        for where, shares in groups:
            if stray := [option for option in shares if option not in ids]:
                raise ValueError(f"{where} has {stray[0]}, which is no option")
            adds_up(shares, where)

    @property
    def groups(self) -> tuple[str, ...]:
        """The attributes by which results are told: those named, and those of strata, margins and real shares."""
        strata = (self.strata.by,) if self.strata else ()
        real = tuple(self.real.by) if self.real else ()
        return tuple(dict.fromkeys((*self.by, *strata, *self.margins, *real)))

    @property
    def attributes(self) -> tuple[str, ...]:
        """All attributes that it names."""
        return tuple(dict.fromkeys((*self.where, *self.groups)))


def survey_of(rows: pl.DataFrame) -> tuple[str, Survey] | None:
    """The survey of a partition of the data files, with the name of its file; None where the file holds none.

    Raises:
        UsageError: it holds several, or is no survey; the message names file and key.
    """
    if not rows.height:
        return None
    if rows.height > 1:
        raise UsageError(f"{rows['file'][0]}: it holds {rows.height} surveys; a file is one survey")
    row = rows.row(0, named=True)
    return row["file"], row_as(row, Survey, "survey")
