"""Recipes: what models are trained on, how, and by what they are measured. Each is a YAML file of `recipes/`.

```yaml
title: A model of each type
base: HuggingFaceTB/SmolLM2-135M                 # a folder, a name in the local cache, packaged:smollm2, {scratch: ...}
over: {type: [INTJ, ENFP], language: [en, zh]}   # a partition for each combination; without it one
seed: 0                                          # of the draw of rows
seeds: [0, 1, 2]                                 # of training: a model each, on the same rows
held_out: {size: 300, numbers: 0.2}
stages:                                          # in the order in which they are trained
  - id: behaviour
    kind: sft                                    # text, sft or dpo
    rows:                                        # `{type}` stands for the value of `over`
      - dataset: preference_poles
        where: {types: "{type}", language: "{language}"}
        columns: {prompt: prompt, response: chosen}
    general:                                     # share of the stage's rows that are of these; optional
      share: 0.3
      dataset: instruction_answers
      where: {language: "{language}"}
      columns: {prompt: instructions.instruction, response: answer}
    train: {epochs: 3, batch: 16, rate: 0.0002, lora: {rank: 16}}
```

docs/recipes.md is the reference.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from persona_assets.errors import Collected, UsageError, did_you_mean
from persona_assets.lake import Table
from persona_assets.prompts.load import read_as, wrong
from persona_assets.tasks.data_files import DataRow
from persona_assets.tasks.values import Value
from persona_assets.training.job import Lora, Scratch, Train

DUMP = "dump"  # stands for the crawl release of a row, which no column has
RECIPES, BENCHMARK_FILES = "recipes", "benchmark_files"  # named sets
# The column of the mix that holds each text, by the name that a recipe has for it.
HOLDS: Mapping[str, str] = {
    "text": "response",
    "prompt": "prompt",
    "response": "response",
    "chosen": "response",
    "rejected": "rejected",
    "answer": "response",
    "constraints": "response",
    "request": "request",
}
MESSAGES = "messages"  # names a column of conversations; their last question and answer are `prompt` and `response`
TALK = (MESSAGES,)
CONVERSATION = pl.List(pl.Struct({"role": pl.String(), "content": pl.String()}))
PAIRS = ("prompt", "chosen", "rejected")
# What each kind of stage, or of suite with rows of its own, takes its texts from: one of these sets of names.
STAGES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "text": (("text",),),
    "sft": (("prompt", "response"), TALK),
    "dpo": (PAIRS,),
}
SUITES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "maths": (("prompt", "answer"),),
    "constraints": (("prompt", "constraints"), ("prompt", "constraints", "request")),
    "loss": (("prompt", "response"), TALK, ("text",)),
    "preference": (PAIRS,),
}
# The kinds of stages whose held-out rows a suite can measure by, and the kinds of suites that a benchmark file can be.
OF_SUITES: Mapping[str, tuple[str, ...]] = {"maths": ("sft",), "loss": ("text", "sft"), "preference": ("dpo",)}
OF_FILES = ("maths", "constraints")
_PLACE = re.compile(r"\{([^{}]+)\}")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Part(_Strict):
    """Rows of a dataset. With `strata`, columns, a smaller part has alike many of each of their values."""

    dataset: str
    where: dict[str, Value | tuple[Value, ...]] = Field(default_factory=dict)
    columns: dict[str, str] = Field(default_factory=dict)
    size: int | None = Field(None, ge=1)
    weight: float | None = Field(None, gt=0)
    strata: tuple[str, ...] = ()


class General(Part):
    """Rows of a dataset that keep a model's general ability, as a share of the stage."""

    share: float = Field(gt=0, lt=1)


class Stage(_Strict):
    """What is trained at once. Parts with weights are to each other as these say; `size` is the most own rows."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")
    kind: Literal["text", "sft", "dpo"]
    rows: tuple[Part, ...] = Field(min_length=1)
    general: General | None = None
    size: int | None = Field(None, ge=1)
    train: Train = Field(Train.model_validate({}))

    @property
    def parts(self) -> tuple[Part, ...]:
        """All that it takes rows of."""
        return (*self.rows, *([self.general] if self.general else []))

    @property
    def layouts(self) -> tuple[tuple[str, ...], ...]:
        """The sets of names, one of which the `columns` of a part have."""
        return STAGES[self.kind]

    @property
    def talks(self) -> bool:
        """Whether some of its rows are conversations."""
        return any(MESSAGES in part.columns for part in self.parts)

    @model_validator(mode="after")
    def _check(self) -> "Stage":
        _check_weights(self.rows)
        return self


def _check_weights(parts: tuple[Part, ...]) -> None:
    weighed = [part.weight is not None for part in parts]
    if any(weighed) and not all(weighed):
        raise ValueError("either all parts of `rows` have a weight, or none has")


class HeldOut(_Strict):
    """Rows that nobody is trained on: the most of a stage in each stratum, and the share of tuples of numbers."""

    size: int = Field(300, ge=1)
    numbers: float = Field(0.0, ge=0, lt=1)


class Suite(_Strict):
    """What models are measured by: held-out rows of a stage, the items of a benchmark file, or rows of its own.

    `maths` asks for answers and compares them with those of the rows, `constraints` has a program look whether answers
    keep to them, `loss` and `preference` score texts. `file` is the key of a partition of `benchmark_files`; `question`
    and `answer` name the columns of these where they are not found. `rows` are parts as a stage has; nothing of them is
    trained on. `size` is the most rows of each stratum of a stage, or of the file, or of its own, `max_tokens` the most
    tokens of an answer.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")
    kind: Literal["maths", "constraints", "loss", "preference"]
    of: str = ""
    file: str = ""
    rows: tuple[Part, ...] = ()
    question: str | None = None
    answer: str | None = None
    size: int | None = Field(None, ge=1)
    max_tokens: int = Field(512, ge=1, le=1 << 17)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What rows of its own it takes."""
        return self.rows

    @property
    def layouts(self) -> tuple[tuple[str, ...], ...]:
        """The sets of names, one of which the `columns` of a part have."""
        return SUITES[self.kind]

    @model_validator(mode="after")
    def _check(self) -> "Suite":
        if sum(map(bool, (self.of, self.file, self.rows))) != 1:
            raise ValueError("names either a stage, `of`, or a benchmark `file`, or `rows` of its own")
        if self.file and self.kind not in OF_FILES:
            raise ValueError(f"{self.kind} is of rows, and not of a file: name a stage, `of`, or `rows`")
        if self.of and self.kind not in OF_SUITES:
            raise ValueError(f"{self.kind} is of a benchmark `file` or of `rows`, and not of a stage")
        if not self.file and (self.question or self.answer):
            raise ValueError("`question` and `answer` are columns of a benchmark `file`")
        if self.kind != "maths" and self.answer:
            raise ValueError("`answer` is a column of a file of `maths`")
        _check_weights(self.rows)
        return self


class Evaluate(_Strict):
    """Who answers the suites, models of the lake and what they were trained from, by which engine."""

    engine: Literal["transformers", "vllm"] = "transformers"
    batch: int | None = Field(None, ge=1, le=65536)  # prompts side by side; as the settings say where not named
    suites: tuple[Suite, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> "Evaluate":
        known = [suite.id for suite in self.suites]
        if len(set(known)) < len(known):
            raise ValueError("two suites have one id")
        return self


class Variant(_Strict):
    """The recipe with other own rows, so that both can be compared: an ablation, or a point of a curve.

    `without` are rows that are left out, by column the value or values of these, `only` those that are kept. `share` is
    that of the rows, `personas` that of the personas whose rows are kept, `per_persona` the most rows of each of these.
    """

    without: dict[str, Value | tuple[Value, ...]] = Field(default_factory=dict)
    only: dict[str, Value | tuple[Value, ...]] = Field(default_factory=dict)
    share: float = Field(1.0, gt=0, le=1)
    personas: float = Field(1.0, gt=0, le=1)
    per_persona: int | None = Field(None, ge=1)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it looks at."""
        return (*self.without, *self.only)


class FromScratch(_Strict):
    """A base that starts from random weights."""

    scratch: Scratch


class Recipe(_Strict):
    """A recipe's file."""

    title: str = Field(min_length=1)
    base: FromScratch | str = Field("", union_mode="left_to_right")
    over: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    seed: int = 0
    seeds: tuple[Annotated[int, Field(ge=0, lt=1 << 32)], ...] = Field((0,), min_length=1)
    held_out: HeldOut = Field(HeldOut.model_validate({}))
    stages: tuple[Stage, ...] = Field(min_length=1)
    evaluate: Evaluate | None = None
    variants: dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]{0,40}$")], Variant] = Field(default_factory=dict)

    @field_validator("over")
    @classmethod
    def _some(cls, over: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for name, values in over.items():
            if not values or len(set(values)) < len(values):
                raise ValueError(f"{name}: give values, each once")
        return over

    @model_validator(mode="after")
    def _check(self) -> "Recipe":
        known = [stage.id for stage in self.stages]
        if len(set(known)) < len(known):
            raise ValueError("two stages have one id")
        for suite in self.suites:
            if suite.rows and suite.id in known:
                raise ValueError(f"evaluate: {suite.id}: a suite with rows of its own is not called as a stage is")
            if not suite.of:
                continue
            if suite.of not in known:
                raise ValueError(f"evaluate: {suite.id}: there is no stage {suite.of}; {did_you_mean(suite.of, known)}")
            kind = next(stage.kind for stage in self.stages if stage.id == suite.of)
            if kind not in OF_SUITES[suite.kind]:
                wanted = " or ".join(OF_SUITES[suite.kind])
                raise ValueError(
                    f"evaluate: {suite.id}: {suite.kind} is of a stage of {wanted}, and {suite.of} is {kind}"
                )
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds: give each once")
        if isinstance(self.base, FromScratch) and any(stage.train.lora for stage in self.stages):
            raise ValueError("a model from scratch has nothing that adapters could be added to: leave `lora` out")
        return self

    @property
    def combinations(self) -> Iterator[dict[str, str]]:
        """Value by name of `over`, of each combination."""
        for values in product(*self.over.values()):
            yield dict(zip(self.over, values, strict=True))

    @property
    def suites(self) -> tuple[Suite, ...]:
        """What it is measured by."""
        return self.evaluate.suites if self.evaluate else ()

    @property
    def asked(self) -> tuple[Suite, ...]:
        """The suites with rows of their own."""
        return tuple(suite for suite in self.suites if suite.rows)

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts, of stages and of suites."""
        several = [*(stage.parts for stage in self.stages), *(suite.rows for suite in self.asked)]
        return tuple(part for parts in several for part in parts)

    @property
    def datasets(self) -> tuple[str, ...]:
        """What it takes rows of, each once."""
        return tuple(dict.fromkeys(part.dataset for part in self.parts))

    @property
    def own(self) -> tuple[Part, ...]:
        """The parts of all stages but general ones."""
        return tuple(part for stage in self.stages for part in stage.rows)

    @property
    def files(self) -> tuple[str, ...]:
        """The benchmark files that it is measured by."""
        return tuple(dict.fromkeys(suite.file for suite in self.suites if suite.file))

    @property
    def tables(self) -> tuple[str, ...]:
        """The datasets, then what their rows were made from where texts stand there, then benchmarks if it has some."""
        above = [name for part in self.parts for name, _ in _places(part, self) if name]
        return tuple(dict.fromkeys([*self.datasets, *above, *([BENCHMARK_FILES] if self.files else [])]))


def places_in(source: str) -> list[tuple[str, str]]:
    """The columns that a text is made of: the table above that it stands in, "" for the dataset itself, and its name.

    A source is a column, or a text that names columns in braces, as `{working} {answer}`.
    """
    found = _PLACE.findall(source) if "{" in source else [source]
    return [(above, name) for above, _, name in (one.strip().rpartition(".") for one in found)]


def pieces_of(source: str) -> list[str | tuple[str, str]]:
    """A source in pieces: texts as they are, and columns as `places_in` gives them."""
    if "{" not in source:
        return [*places_in(source)]
    parts = _PLACE.split(source)
    return [places_in(part)[0] if at % 2 else part for at, part in enumerate(parts) if at % 2 or part]


def _places(part: Part, recipe: Recipe) -> list[tuple[str, str]]:
    looked = [column for variant in recipe.variants.values() for column in variant.columns if part in recipe.own]
    sources = [*part.columns.values(), *part.where, *part.strata, *looked]
    return [place for source in sources for place in places_in(source)]


_PARTS: Mapping[str, type[BaseModel]] = {
    "stages": Stage,
    "rows": Part,
    "general": General,
    "train": Train,
    "lora": Lora,
    "scratch": Scratch,
    "base": FromScratch,
    "held_out": HeldOut,
    "variants": Variant,
    "evaluate": Evaluate,
    "suites": Suite,
}


def recipe_in(path: Path) -> Recipe:
    """The recipe of a file.

    Raises:
        UsageError: it is none; the message names file, line and key.
    """
    return read_as(path, Recipe, _PARTS)


TEXTS = (
    "base",
    "over",
    "held_out",
    "stages",
    "seeds",
    "evaluate",
    "variants",
)  # columns of a recipe's row that are JSON text


def recipe_of(row: Mapping[str, Any]) -> tuple[Recipe, dict[str, str]]:
    """The recipe of a row of the table `recipes`, and the values of `over` that its partition is of."""
    known = {name: row[name] for name in Recipe.model_fields if row.get(name) is not None}
    parsed = {name: _parsed(value) if name in TEXTS else value for name, value in known.items()}
    return Recipe.model_validate(parsed), orjson.loads(row["of"])


def _parsed(value: str) -> Any:  # noqa: ANN401 - any JSON
    """JSON text as a value; a base may be a plain text."""
    return orjson.loads(value) if value[:1] in "{[" else value


def tables_of(rows: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The tables that recipes read: all datasets, then what texts are taken from above them."""
    found = [recipe for row in rows if (recipe := _understood(row))]
    datasets = [name for recipe in found for name in recipe.datasets]
    return tuple(dict.fromkeys([*datasets, *(name for recipe in found for name in recipe.tables)]))


def benchmarks_of(rows: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The table of benchmark files, where recipes are measured by some."""
    return (BENCHMARK_FILES,) if any(recipe.files for row in rows if (recipe := _understood(row))) else ()


def datasets_of(rows: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The datasets that recipes take rows of."""
    return tuple(dict.fromkeys(name for row in rows if (recipe := _understood(row)) for name in recipe.datasets))


def _understood(row: Mapping[str, Any]) -> Recipe | None:
    """The recipe of a row; None of a file that is none, which `check_recipes` tells."""
    try:
        return recipe_of(row)[0]
    except ValueError:
        return None


# What is wrong


def check_recipes(rows: Iterable[DataRow], tables: Mapping[str, Table]) -> None:
    """That every recipe is one, that its datasets are there, and that these have the columns it names.

    Raises:
        Faults: all that is wrong in all of them, each with file, line and key.
    """
    faults, seen = Collected(), set[Path]()
    for row in rows:
        if row.path not in seen:
            seen.add(row.path)
            with faults.part():
                recipe = recipe_in(row.path)
                for said in _wrong_in(row.path, recipe, tables):
                    faults.faults.append(said)
    faults.check()


def _wrong_in(path: Path, recipe: Recipe, tables: Mapping[str, Table]) -> Iterator[UsageError]:
    known = [table.name for table in tables.values() if table.key == "sample_id" and table.partition != "dump"]
    for place, part, of in _parts_of(recipe):
        if part.dataset not in known:
            said = f"there is no dataset {part.dataset}; {did_you_mean(part.dataset, known)}"
            yield wrong(path, (*place, "dataset"), said)
            continue
        for key, said in _wrong_of(part, of, recipe, tables):
            yield wrong(path, (*place, *key), said)
        for name, variant in recipe.variants.items() if part in recipe.own else ():
            for which, columns in (("without", variant.without), ("only", variant.only)):
                for said in _no_columns(columns, tables[part.dataset], tables):
                    yield wrong(path, ("variants", name, which), said)


def _parts_of(recipe: Recipe) -> Iterator[tuple[tuple[str | int, ...], Part, Stage | Suite]]:
    """Every part with its place in the file, and the stage or suite that it belongs to."""
    for number, stage in enumerate(recipe.stages):
        for at, part in enumerate(stage.rows):
            yield ("stages", number, "rows", at), part, stage
        if stage.general:
            yield ("stages", number, "general"), stage.general, stage
    for number, suite in enumerate(recipe.suites):
        for at, part in enumerate(suite.rows):
            yield ("evaluate", "suites", number, "rows", at), part, suite


def _wrong_of(
    part: Part, of: Stage | Suite, recipe: Recipe, tables: Mapping[str, Table]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """What is wrong with a part of a dataset that is there: the key, and why."""
    table = tables[part.dataset]
    for column in part.where:
        for said in _no_columns([column], table, tables):
            yield ("where", column), said
    for said in _no_columns(part.strata, table, tables):
        yield ("strata",), said
    for said in _of_over(part, recipe.over):
        yield ("where",), said
    if set(part.columns) not in map(set, of.layouts):
        wanted = ", or from ".join(", ".join(names) for names in of.layouts)
        yield ("columns",), f"{of.kind} takes its texts from {wanted}: name each"
        return
    for name, source in part.columns.items():
        if name == MESSAGES and "{" in source:
            yield ("columns", name), "is a column of messages, and no text that names columns"
            continue
        for above, column in places_in(source):
            if said := _no_text(above, column, table, tables, talk=name == MESSAGES):
                yield ("columns", name), said


def _of_over(part: Part, over: Mapping[str, Any]) -> Iterator[str]:
    """Names in braces that `over` does not have."""
    for values in part.where.values():
        for value in values if isinstance(values, tuple) else (values,):
            if (name := named(value)) and name not in over:
                yield f"there is no {name} under over; {did_you_mean(name, over)}"


def named(value: Value) -> str:
    """The name of `over` that a value stands for; "" where it is a value itself."""
    text = value if isinstance(value, str) else ""
    return text[1:-1] if text.startswith("{") and text.endswith("}") else ""


def _no_columns(sources: Iterable[str], table: Table, tables: Mapping[str, Table]) -> Iterator[str]:
    """Why rows cannot be told by columns, of the dataset or of what its rows were made from."""
    for source in sources:
        [(above, name)] = places_in(source)
        links = [one for parent in table.parents if parent.direct for one in parent.tables]
        if above and above not in links:
            yield f"{table.name} is not made from {above}; {did_you_mean(above, links)}"
            continue
        there = tables[above] if above else table
        known = [*there.polars, *([] if above else [DUMP])]
        if name not in known:
            yield f"{there.name} has no column {name}; {did_you_mean(name, known)}"


def _no_text(above: str, name: str, table: Table, tables: Mapping[str, Table], *, talk: bool = False) -> str:
    """Why a place holds no texts, or conversations; "" where it does."""
    if above:
        links = [one for parent in table.parents if parent.direct for one in parent.tables]
        if above not in links:
            return f"{table.name} is not made from {above}; {did_you_mean(above, links)}"
        table = tables[above]
    if talk:
        return _no_talk(table, name)
    if str(table.polars.get(name)) != "String":
        return f"{table.name} has no column of texts {name}; {did_you_mean(name, table.polars)}"
    return ""


def _no_talk(table: Table, name: str) -> str:
    """Why a column holds no conversations; "" where it does."""
    found = {one: fields for one, dtype in table.polars.items() if (fields := _fields(dtype))}
    if name not in found:
        return f"{table.name} has no column of messages {name}; {did_you_mean(name, found)}"
    more = found[name] - {"role", "content"}
    return f"messages of {table.name} have {', '.join(sorted(more))} too, which no stage trains on" if more else ""


def _fields(dtype: pl.DataType) -> set[str]:
    """What a message has, of a column of lists of messages; nothing of another one."""
    inner = dtype.inner if isinstance(dtype, pl.List) else None
    fields = set(inner.to_schema()) if isinstance(inner, pl.Struct) else set[str]()
    return fields if {"role", "content"} <= fields else set[str]()
