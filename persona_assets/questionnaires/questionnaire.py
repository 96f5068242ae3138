"""A questionnaire's file: a scale with its labels, dimensions with two poles each, and items that speak for a pole.

Two forms are read. The own one is YAML (`docs/questionnaires.md`); a file with `questions` is in the layout of
InCharacter's JSON files (`layout.py`).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from persona_assets.errors import UsageError, did_you_mean
from persona_assets.questionnaires.layout import from_layout

LOW, HIGH = "low", "high"  # the poles of a dimension that names none
# Keys whose values are no plain text. The table of files keeps them as JSON text.
TEXTS = (
    *("scale", "dimensions", "items", "falls"),
    *("questions", "categories", "reverse", "range", "prompts"),
    *("name", "full_name", "title", "psychobench_prompt", "psychobench_prompt_choice_instruction", "compute_mode"),
)
_OWN = ("row_id", "file", "place", "shard", "run_id", "created_at")
_LAYOUT = "questions"  # the key that only the JSON layout has
_PLAIN = frozenset({"title", "name", "full_name"})

Text = dict[str, str]  # by language, as ISO 639-1
Model = TypeVar("Model", bound=BaseModel)


class Part(BaseModel):
    """A part of a data file; keys that are not known are an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class Scale(Part):
    """The numbers that answer an item, and by language a label for each, from the least agreement to the most."""

    min: int = Field(1, ge=0)
    max: int = Field(le=100)
    labels: dict[str, tuple[str, ...]] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> "Scale":
        if self.max <= self.min:
            raise ValueError(f"it goes from {self.min} to {self.max}: the second has to be the larger one")
        for language, labels in self.labels.items():
            if len(labels) != self.size:
                said = f"{len(labels)} labels in {language}"
                raise ValueError(f"{said} for the {self.size} numbers from {self.min} to {self.max}")
        return self

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return self.max - self.min + 1


class Dimension(Part):
    """What items tell of, between two poles; scores run from -1, the first, to 1, the second."""

    id: str = Field(min_length=1)
    poles: tuple[str, str] = (LOW, HIGH)

    @model_validator(mode="after")
    def _check(self) -> "Dimension":
        if self.poles[0] == self.poles[1]:
            raise ValueError(f"both poles of {self.id} are {self.poles[0]}")
        return self


class Item(Part):
    """A statement; who agrees with it speaks for `pole`. A filler is asked and not scored."""

    id: str = Field(min_length=1)
    text: Text = Field(min_length=1)
    dimension: str = ""
    pole: str = ""
    filler: bool = False


class Questionnaire(Part):
    """What a file declares. `falls`: in its own numbers the lowest one stands for the most agreement."""

    title: str = ""
    scale: Scale
    dimensions: tuple[Dimension, ...] = Field(min_length=1)
    items: tuple[Item, ...] = Field(min_length=1)
    falls: bool = False

    @model_validator(mode="after")
    def _check(self) -> "Questionnaire":
        poles = {one.id: one.poles for one in self.dimensions}
        if len(poles) < len(self.dimensions):
            raise ValueError("two dimensions have one id")
        seen = set[str]()
        for item in self.items:
            if item.id in seen:
                raise ValueError(f"item {item.id} stands there twice: give each an id of its own")
            seen.add(item.id)
            _check_item(item, poles, self.languages)
        return self

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages in which it can be asked: those of the labels, which every item has."""
        return tuple(self.scale.labels)


def _check_item(item: Item, poles: Mapping[str, tuple[str, str]], languages: Sequence[str]) -> None:
    """That an item can be asked and scored.

    Raises:
        ValueError: it cannot.
    """
    where = f"item {item.id}"
    if missing := [one for one in languages if not item.text.get(one, "").strip()]:
        raise ValueError(f"{where} has no text in {missing[0]}, in which the scale has labels")
    if item.filler:
        if item.dimension or item.pole:
            raise ValueError(f"{where} is a filler and has a dimension or a pole: leave out one or the other")
        return
    if not item.dimension:
        raise ValueError(f"{where} names no dimension; an item that is not to be scored says `filler: true`")
    if item.dimension not in poles:
        raise ValueError(f"{where}: there is no dimension {item.dimension}; {did_you_mean(item.dimension, poles)}")
    if item.pole not in poles[item.dimension]:
        of = poles[item.dimension]
        said = f"{item.pole} is no pole of {item.dimension}" if item.pole else "it names no pole"
        raise ValueError(f"{where}: {said}; {did_you_mean(item.pole, of)}")


def questionnaire_of(rows: pl.DataFrame) -> tuple[str, Questionnaire] | None:
    """The questionnaire of a partition of the data files, with the name of its file; None where there is none.

    Raises:
        UsageError: the file holds several, or is no questionnaire; the message names file and item or key.
    """
    found = told_by(rows)
    return (found[0], read(*found)) if found else None


def told_by(rows: pl.DataFrame) -> tuple[str, dict[str, Any]] | None:
    """The name of a data file that holds one row, and its values; None where it holds none.

    Raises:
        UsageError: it holds several.
    """
    if not rows.height:
        return None
    if rows.height > 1:
        raise UsageError(f"{rows['file'][0]}: it holds a list of {rows.height}; put each into a file of its own")
    row = rows.row(0, named=True)
    told = {name: _value(name, value) for name, value in row.items() if name not in _OWN and value is not None}
    return row["file"], told


def read(file: str, told: Mapping[str, Any]) -> Questionnaire:
    """The questionnaire that the values of a file declare.

    Raises:
        UsageError: they declare none; the message names file and item or key.
    """
    if _LAYOUT in told:
        try:
            told = from_layout(told)
        except ValueError as error:
            raise UsageError(f"{file}: {error}") from error
    return parsed(Questionnaire, file, told)


def parsed(model: type[Model], file: str, told: Mapping[str, Any]) -> Model:
    """What the values of a file declare.

    Raises:
        UsageError: they declare no such thing; the message names file and item or key.
    """
    try:
        return model.model_validate(told)
    except ValidationError as error:
        first = error.errors()[0]
        said = first["msg"].removeprefix("Value error, ")
        place = _place(first["loc"], told)
        raise UsageError(f"{file}: {place}: {said}" if place else f"{file}: {said}") from error


def _place(loc: Sequence[int | str], told: Mapping[str, Any]) -> str:
    """Where a fault is: one of a list by its id, else by its place."""
    if len(loc) > 1 and isinstance(loc[1], int):
        kind, one = str(loc[0]).removesuffix("s"), told[str(loc[0])][loc[1]]
        name = one["id"] if isinstance(one, Mapping) and "id" in one else f"number {loc[1] + 1}"
        return ".".join([f"{kind} {name}", *map(str, loc[2:])])
    return ".".join(map(str, loc))


def _value(name: str, value: Any) -> Any:  # noqa: ANN401 - of a data file
    """A value as the file has it; what is no plain text is kept as JSON text."""
    if isinstance(value, str) and name not in _PLAIN:
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
