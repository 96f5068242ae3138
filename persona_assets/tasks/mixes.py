"""Recipes of training: which rows each of several models is trained on, by stage, declared in a YAML file.

Each file of `recipes/`, of the package or of the folder of task files, is an asset `<file>_mix`:

```yaml
title: A model of each type
over: {type: [INTJ, ENFP], language: [en, zh]}   # a model for each combination; without it one
seed: 0
stages:                                           # in the order in which they are trained
  - id: behaviour
    kind: sft                                     # text, sft or dpo
    rows:                                         # `{type}` stands for the value of `over`
      - dataset: preference_poles
        where: {types: "{type}", language: "{language}"}
        columns: {prompt: prompt, response: chosen}
    general:                                      # share of the stage's rows that are of these; optional
      share: 0.3
      dataset: instruction_answers
      where: {language: "{language}"}
      columns: {prompt: instructions.instruction, response: answer}
```

`columns` say where the texts of a kind stand, in the dataset or in what its rows were made from. A value of `where` is
one that the column has, or of a column of lists one that is in it; a list of values holds those that will do. Rows that
a dataset holds out (`split`) are left out. `size` is the most rows of a part, those with the lowest digests of seed and
id. Nothing is copied but ids.
"""

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from persona_assets.errors import did_you_mean
from persona_assets.ids import canonical_json, digest
from persona_assets.lake import Table
from persona_assets.prompts.load import files_of, read_as, wrong
from persona_assets.tasks.derived import Derived, data_files, derived
from persona_assets.tasks.set_checks import set_check
from persona_assets.tasks.split import HELD_OUT
from persona_assets.tasks.values import Value, as_text
from persona_assets.view import blocks as view

FOLDER = "recipes"
SUFFIX, FILE = "_mix", "_recipe"
OWN, GENERAL = "own", "general"
KINDS = {"text": ("text",), "sft": ("prompt", "response"), "dpo": ("prompt", "chosen", "rejected")}
ONLY = "all"  # the variant where there is one
TAKEN = "taken_id"
COLUMNS = {
    "variant": pl.String,
    "stage": pl.String,
    "number": pl.Int64,
    "kind": pl.String,
    "role": pl.String,
    "place": pl.Int64,
    "dataset": pl.String,
    TAKEN: pl.String,
    "taken_shard": pl.String,
    "wanted": pl.Int64,
}


class Part(BaseModel):
    """Rows of a dataset."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    dataset: str
    where: dict[str, Value | tuple[Value, ...]] = Field(default_factory=dict)
    columns: dict[str, str] = Field(default_factory=dict)
    size: int | None = Field(None, ge=1)


class General(Part):
    """Rows of a dataset that keep a model's general ability, as a share of the stage."""

    share: float = Field(gt=0, lt=1)


class Stage(BaseModel):
    """What is trained at once."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")
    kind: Literal["text", "sft", "dpo"]
    rows: tuple[Part, ...] = Field(min_length=1)
    general: General | None = None

    @property
    def parts(self) -> tuple[Part, ...]:
        """All that it takes rows of."""
        return (*self.rows, *([self.general] if self.general else []))


class Recipe(BaseModel):
    """A recipe's file."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    title: str = Field(min_length=1)
    over: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    seed: int = 0
    stages: tuple[Stage, ...] = Field(min_length=1)

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
        return self

    @property
    def variants(self) -> Iterator[tuple[str, dict[str, str]]]:
        """The models that are trained: name, and value by name of `over`."""
        for values in product(*self.over.values()):
            yield ".".join(values) or ONLY, dict(zip(self.over, values, strict=True))

    @property
    def datasets(self) -> tuple[str, ...]:
        """What it takes rows of, each once."""
        return tuple(dict.fromkeys(part.dataset for stage in self.stages for part in stage.parts))


_PARTS: Mapping[str, type[BaseModel]] = {"stages": Stage, "rows": Part, "general": General}


def mixes_in(bundled: Path, instead: Path | None) -> Iterator[tuple[Path, Derived]]:
    """The recipes of the package, or those in `instead` where there are some, as functions with their files.

    Raises:
        UsageError: a file is not a recipe; the message names file and key.
    """
    own = files_of(instead, f"{FOLDER}/*.yaml") if instead else []
    for path in own or files_of(bundled, f"{FOLDER}/*.yaml"):
        yield path, mix_of(path, read_as(path, Recipe, _PARTS))


@set_check(description="Every stage of every model has rows of its own.")
def no_empty_stage(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The rows that stand for a stage without any."""
    return rows.filter(pl.col(TAKEN).is_null())


def too_few_general(rows: pl.LazyFrame) -> pl.DataFrame:
    """Stages with fewer general rows than the recipe wants: `stage`, the `variants` concerned, and a `variant` of these
    with its `general` rows and those `wanted`.
    """
    of = rows.group_by("stage", "variant").agg(general=(pl.col("role") == GENERAL).sum(), wanted=pl.col("wanted").max())
    short = of.filter(pl.col("general") < pl.col("wanted")).sort(pl.col("general") - pl.col("wanted"), "variant")
    worst = (pl.col(name).first() for name in ("variant", "general", "wanted"))
    return short.group_by("stage", maintain_order=True).agg(pl.len().alias("variants"), *worst).collect()


def mix_shown(rows: pl.DataFrame) -> list[view.Block]:
    """What there is to look at: by stage and dataset the models, and the rows that each has of it."""
    told = (
        rows.group_by("number", "stage", "kind", "role", "dataset", "variant")
        .agg(rows=pl.col(TAKEN).count())
        .group_by("number", "stage", "kind", "role", "dataset")
        .agg(models=pl.len(), least=pl.col("rows").min(), mean=pl.col("rows").mean(), most=pl.col("rows").max())
        .sort("number", "role", "dataset", descending=[False, True, False])
    )
    heads = [*view.whole("stage", "kind", "rows", "of"), *view.right("models", "fewest", "mean", "most")]
    highest = max([1.0, *told["mean"]])
    drawn: list[list[view.Cell]] = [
        [
            *(view.Code(row[name]) for name in ("stage", "kind", "role", "dataset")),
            *(f"{row[name]:,}" for name in ("models", "least")),
            f"{row['mean']:,.0f}",
            f"{row['most']:,}",
            view.bar(highest, (view.PLAIN, row["mean"])),
        ]
        for row in told.iter_rows(named=True)
    ]
    short = [
        f"{stage}: {variants:,} models have fewer general rows than wanted, {variant} {general:,} of {wanted:,}."
        for stage, variants, variant, general, wanted in too_few_general(rows.lazy()).iter_rows()
    ]
    return [view.Table([*heads, *view.whole("")], drawn), *([view.Lines(short)] if short else [])]


def mix_of(path: Path, recipe: Recipe) -> Derived:
    """The function that says which rows each model of a recipe is trained on."""

    def mix(file: pl.LazyFrame, *tables: pl.LazyFrame) -> pl.DataFrame:
        return mixed(recipe, file, dict(zip(recipe.datasets, tables, strict=True)))

    mix.__name__ = f"{path.stem}{SUFFIX}"
    mix.__doc__ = f"Which rows each model of the recipe {path.stem} is trained on."
    return derived(
        reads=(data_files(path.name, table=f"{path.stem}{FILE}", texts=("over", "stages")), *recipe.datasets),
        columns=COLUMNS,
        description=f"{recipe.title}: the rows of each stage of each model, by their ids.",
        cites={TAKEN: recipe.datasets},
        nullable=(TAKEN, "taken_shard"),
        set_checks=(no_empty_stage,),
        modules=("ids", "prompts", "prompts.load", "tasks.mixes", "tasks.split", "tasks.values"),
        packaged={"recipe": lambda: digest(canonical_json(recipe.model_dump(mode="json")))},
        declared_in=path,
        check=lambda tables, _: _check(path, recipe, tables),
        shows=mix_shown,
    )(mix)


def _check(path: Path, recipe: Recipe, tables: Mapping[str, Table]) -> None:
    """That the datasets are there, and have the columns that the recipe names.

    Raises:
        UsageError: they have not; the message names file and key.
    """
    known = [table.name for table in tables.values() if table.key == "sample_id" and table.partition != "dump"]
    for number, stage in enumerate(recipe.stages):
        for at, part in enumerate(stage.parts):
            place = ("stages", number, *(("rows", at) if at < len(stage.rows) else ("general",)))
            if part.dataset not in known:
                said = f"there is no dataset {part.dataset}; {did_you_mean(part.dataset, known)}"
                raise wrong(path, (*place, "dataset"), said)
            table = tables[part.dataset]
            for column in part.where:
                if column not in table.polars:
                    said = f"{part.dataset} has no column {column}; {did_you_mean(column, table.polars)}"
                    raise wrong(path, (*place, "where", column), said)
            for said in _of_over(part, recipe.over):
                raise wrong(path, (*place, "where"), said)
            wanted = KINDS[stage.kind]
            if set(part.columns) != set(wanted):
                raise wrong(
                    path, (*place, "columns"), f"{stage.kind} takes its texts from {', '.join(wanted)}: name each"
                )
            for name, column in part.columns.items():
                _text_column(path, (*place, "columns", name), column, table, tables)


def _of_over(part: Part, over: Mapping[str, Any]) -> Iterator[str]:
    """Names in braces that `over` does not have."""
    for values in part.where.values():
        for value in values if isinstance(values, tuple) else (values,):
            if (name := _named(value)) and name not in over:
                yield f"there is no {name} under over; {did_you_mean(name, over)}"


def _named(value: Value) -> str:
    """The name of `over` that a value stands for; "" where it is a value itself."""
    text = value if isinstance(value, str) else ""
    return text[1:-1] if text.startswith("{") and text.endswith("}") else ""


def _text_column(
    path: Path, place: tuple[str | int, ...], column: str, table: Table, tables: Mapping[str, Table]
) -> None:
    above, _, name = column.rpartition(".")
    if above:
        links = [one for parent in table.parents if parent.direct for one in parent.tables]
        if above not in links:
            raise wrong(path, place, f"{table.name} is not made from {above}; {did_you_mean(above, links)}")
        table = tables[above]
    if table.polars.get(name) != pl.String():
        raise wrong(path, place, f"{table.name} has no column of texts {name}; {did_you_mean(name, table.polars)}")


def mixed(recipe: Recipe, file: pl.LazyFrame, tables: Mapping[str, pl.LazyFrame]) -> pl.DataFrame:
    """One row for each row that a model is trained on in a stage, in the order of `place`.

    A stage of a model without any row has one with a null in `taken_id`. Memory holds ids and the columns that are
    looked at, of all datasets.
    """
    row_id = file.select("row_id").collect()["row_id"][0]
    there = {name: _looked_at(recipe, name, rows) for name, rows in tables.items()}
    parts = [
        _stage(recipe, stage, values, there).with_columns(
            variant=pl.lit(variant), stage=pl.lit(stage.id), number=pl.lit(number), kind=pl.lit(stage.kind)
        )
        for variant, values in recipe.variants
        for number, stage in enumerate(recipe.stages, 1)
    ]
    return pl.concat(parts, how="diagonal").select(*COLUMNS, parent_ids=pl.concat_list(pl.lit(row_id)))


_REST = ("role", "place", "dataset", TAKEN, "taken_shard", "wanted")


def _looked_at(recipe: Recipe, dataset: str, rows: pl.LazyFrame) -> pl.DataFrame:
    """The rows of a dataset that may be trained on, with what is looked at, in the order in which they are drawn."""
    names = rows.collect_schema().names()
    parts = [part for stage in recipe.stages for part in stage.parts if part.dataset == dataset]
    columns = dict.fromkeys(column for part in parts for column in part.where)
    kept = rows.filter(pl.col("split").fill_null("") != HELD_OUT) if "split" in names else rows
    found = kept.select(pl.col("sample_id").alias(TAKEN), pl.col("shard").alias("taken_shard"), *columns).collect()
    order = [digest(f"{recipe.seed}:{one}".encode()) for one in found[TAKEN]]
    return found.with_columns(_order=pl.Series(order, dtype=pl.String)).sort("_order", TAKEN)


def _stage(recipe: Recipe, stage: Stage, values: Mapping[str, str], there: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    own = pl.concat([_rows(part, values, there[part.dataset], part.size) for part in stage.rows])
    own = own.unique(TAKEN, keep="first", maintain_order=True).with_columns(role=pl.lit(OWN))
    if not own.height:
        empty = {"role": OWN, "place": 0, "dataset": stage.rows[0].dataset, "wanted": 0}
        return pl.DataFrame([empty], schema={name: COLUMNS[name] for name in _REST})
    several, wanted = [own], 0
    if (general := stage.general) is not None:
        wanted = round(own.height * general.share / (1 - general.share))
        wanted = min(wanted, general.size or wanted)
        others = there[general.dataset].join(own, on=TAKEN, how="anti", maintain_order="left")
        several.append(_rows(general, values, others, wanted).with_columns(role=pl.lit(GENERAL)))
    return (
        pl.concat(several)
        .sort("_order", TAKEN)
        .select(
            *("role", "dataset", TAKEN, "taken_shard"),
            place=pl.int_range(pl.len(), dtype=pl.Int64),
            wanted=pl.lit(wanted, pl.Int64),
        )
    )


def _rows(part: Part, values: Mapping[str, str], rows: pl.DataFrame, most: int | None) -> pl.DataFrame:
    """The rows of a part, the first ones in the order in which they are drawn."""
    fits = [_fits(rows.schema[name], name, wanted, values) for name, wanted in part.where.items()]
    found = rows.filter(*fits) if fits else rows
    return (found.head(most) if most is not None else found).select(
        TAKEN, "taken_shard", "_order", dataset=pl.lit(part.dataset)
    )


def _fits(dtype: pl.DataType, column: str, wanted: Value | tuple[Value, ...], values: Mapping[str, str]) -> pl.Expr:
    several = wanted if isinstance(wanted, tuple) else (wanted,)
    told = [values[name] if (name := _named(one)) else as_text(one) for one in several]
    if isinstance(dtype, pl.List):
        return pl.any_horizontal(pl.col(column).list.contains(one) for one in told)
    return pl.col(column).cast(pl.String).is_in(told)
