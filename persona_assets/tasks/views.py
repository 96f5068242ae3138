"""Views: which rows of a dataset are wanted, declared in a YAML file, for training or export.

Each file of the folder `PERSONA_VIEWS` is an asset, named as the file:

```yaml
task: math_answers                       # the dataset
description: Answers that most agree on.
where: {split: train, language: [en, zh]}  # values of columns, or of `mode`; a list holds those that will do
least: {votes: 3}                        # numbers that a column has to reach
judge: {criterion: solutions.correctness, least: 4}   # the mean score by calibrated judges; see `judges`
apart: true                              # only rows that are near no benchmark item by meaning; see `quality`
diverse: true                            # not while the dataset's quality is beyond its limits; see `quality`
top: {column: score, share: 0.01, by: [skill, language]}  # of each group the rows with the highest numbers
stratum: {column: language, counts: {en: 100, zh: 50}}  # or `shares`, of `size`
size: 150                                # rows at most; without it all
seed: 0
```

Rows are drawn by the digest of seed and id, so a new row changes few draws. Nothing is copied but ids. A task that
names a view in `select` is asked about what the view selects alone.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, model_validator

from persona_assets.draws import lots, portions
from persona_assets.errors import UsageError, did_you_mean
from persona_assets.ids import canonical_json, digest
from persona_assets.lake import Table
from persona_assets.prompts import Template
from persona_assets.prompts.load import files_of, read_as, wrong
from persona_assets.prompts.template import MODES, LookUp
from persona_assets.tasks.derived import Derived, data_files, derived
from persona_assets.tasks.judges.scores import CALIBRATED
from persona_assets.tasks.set_checks import set_check
from persona_assets.tasks.values import Value, as_text

QUERY = "_query"  # the table of a view's file is called as the view, with this
SPLITS = ("train", "held_out")
SCORES, QUALITY, APART = "_scores", "_quality", "_apart"  # what judges, measures and benchmarks say of a dataset
ALL = ""  # the stratum of rows that are in none
PERSONAS = "selected_persona_ids"
SELECTED = "selected_id"  # the column of the row that is selected
CHOSEN = "selected"  # what a task that selects by a view calls the view's rows beside a row
_ROUNDING = 1e-9  # 0.29 of 100 rows are 29, not 28.999999999999996

COLUMNS = {
    SELECTED: pl.String,
    "dataset": pl.String,
    "selected_shard": pl.String,
    PERSONAS: pl.List(pl.String),
    "language": pl.String,
    "split": pl.String,
    "stratum": pl.String,
    "wanted": pl.Int64,
}


class Judge(BaseModel):
    """The least mean of the scores that calibrated judges give a row by a criterion."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    criterion: str = Field(min_length=1)
    least: float


class Top(BaseModel):
    """The rows with the highest numbers in a column: a share of each group alike in the columns `by`.

    The share is rounded down, and is one row at least. Rows without a number do not count; of equal ones those with the
    lower ids come first.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    column: str
    share: float = Field(0.01, gt=0, le=1)
    by: tuple[str, ...] = ()


class Stratum(BaseModel):
    """How many rows of each value of a column, as counts or as shares of the size."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    column: str
    counts: dict[Value, int] = Field(default_factory=dict)
    shares: dict[Value, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> "Stratum":
        if bool(self.counts) == bool(self.shares):
            raise ValueError("give either counts or shares")
        if any(count < 1 for count in self.counts.values()):
            raise ValueError("a count is 1 at least")
        if self.shares and not (min(self.shares.values()) > 0 and abs(sum(self.shares.values()) - 1) < 1e-6):
            raise ValueError("shares are above 0 and add up to 1")
        return self

    def wanted(self, size: int | None) -> dict[str, int]:
        """Rows by value, as text; shares are rounded so that they add up to `size`."""
        if self.counts:
            return {as_text(value): count for value, count in self.counts.items()}
        return portions({as_text(value): share for value, share in self.shares.items()}, size or 0)


class View(BaseModel):
    """A view's file."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    task: str
    description: str = ""
    where: dict[str, Value | tuple[Value, ...]] = Field(default_factory=dict)
    least: dict[str, float] = Field(default_factory=dict)
    judge: Judge | None = None
    apart: bool = False
    diverse: bool = False
    top: Top | None = None
    stratum: Stratum | None = None
    size: int | None = Field(None, ge=1)
    seed: int = 0

    @model_validator(mode="after")
    def _check(self) -> "View":
        if self.stratum and bool(self.stratum.shares) != bool(self.size):
            raise ValueError("shares need a size, and counts give it")
        return self

    @property
    def wanted_values(self) -> dict[str, tuple[str, ...]]:
        """Of each column the values that will do, as text."""
        several = {name: value if isinstance(value, tuple) else (value,) for name, value in self.where.items()}
        return {name: tuple(map(as_text, values)) for name, values in several.items()}

    @property
    def wanted(self) -> dict[str, int]:
        """Rows by stratum; nothing where all rows are wanted."""
        if self.stratum:
            return self.stratum.wanted(self.size)
        return {ALL: self.size} if self.size else {}

    def expected(self, rows: float) -> float:
        """Rows at most that it selects of so many; `where`, `least` and judges may leave fewer."""
        top = max(1.0, self.top.share * rows) if self.top and rows else rows
        return min(top, sum(self.wanted.values()) or top)


_PARTS: Mapping[str, type[BaseModel]] = {"judge": Judge, "top": Top, "stratum": Stratum}


def views_in(folder: Path) -> Iterator[tuple[Path, Derived]]:
    """The views of a folder as functions, with their files.

    Raises:
        UsageError: there is no such folder, or a file is not a view; the message names file and key.
    """
    if not folder.is_dir():
        raise UsageError(f"PERSONA_VIEWS: {folder} is not a folder of views")
    for path in [*files_of(folder, "*.yaml"), *files_of(folder, "*.yml")]:
        yield path, view_of(path.stem, path, read_as(path, View, _PARTS))


@set_check(description="Each stratum has the rows that the view wants.")
def enough_rows(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The rows of strata that have too few."""
    return rows.filter(pl.len().over("stratum") < pl.col("wanted"))


def view_of(name: str, path: Path, view: View) -> Derived:
    """The function that selects the rows of a view, with the parents in its file."""
    beside = {f"{view.task}{one}": one for one, is_read in _beside(view) if is_read}

    def select(query: pl.LazyFrame, rows: pl.LazyFrame, *others: pl.LazyFrame) -> pl.DataFrame:
        told = dict(zip(beside.values(), others, strict=True))
        return selected(view, query, rows, told.get(SCORES), told.get(APART))

    select.__name__ = name
    select.__doc__ = f"Which rows of {view.task} are in the view {name}."
    file = data_files(path.name, table=f"{name}{QUERY}")
    return derived(
        reads=(file, view.task, *beside),
        columns=COLUMNS,
        description=view.description or f"Rows of {view.task} that {path.name} selects.",
        cites={SELECTED: view.task},
        nullable=("language", "split", "wanted"),
        set_checks=(enough_rows,),
        modules=("draws", "tasks.views"),
        packaged={"query": lambda: digest(canonical_json(view.model_dump(mode="json")))},
        declared_in=path,
        check=lambda tables, _: _check_columns(path, view, tables),
        expected=view.expected,
    )(select)


def selecting(task: Template, view: str, dataset: str, key: str) -> Template:
    """A task that asks about what a view selects of `dataset`: its rows, or where the task reads others their personas.

    `key` is that of the table that the task reads. The view's rows stand beside those that are asked about, so that the
    column `selected_ids` says by which of them each was selected.
    """
    own = {key: SELECTED} if task.reads.name == dataset else {_persona_column(key): PERSONAS}
    beside = LookUp.model_validate({"from": view, "on": own})
    keep_if = f"{CHOSEN} and ({task.keep_if})" if task.keep_if else CHOSEN
    return task.changed(with_={**task.with_, CHOSEN: beside}, keep_if=keep_if, select=view)


def _persona_column(key: str) -> str:
    return key if key == "persona_id" else "persona_ids"


def _check_columns(path: Path, view: View, tables: Mapping[str, Table]) -> None:
    """That the dataset has the columns, and that modes and splits are some.

    Raises:
        UsageError: it does not; the message names file and key.
    """
    samples = [table.name for table in tables.values() if table.key == "sample_id" and table.partition != "dump"]
    if view.task not in samples:
        raise wrong(path, ("task",), f"there is no dataset {view.task}; {did_you_mean(view.task, samples)}")
    columns = tables[view.task].polars
    for place, column, is_number in _columns_named(view):
        if column not in columns:
            raise wrong(path, place, f"{view.task} has no column {column}; {did_you_mean(column, columns)}")
        if is_number and not columns[column].is_numeric():
            raise wrong(path, place, f"the column {column} of {view.task} holds no numbers")
        if not is_number and columns[column].is_nested():
            raise wrong(path, place, f"the column {column} of {view.task} holds lists or structs, not one value")
    for column, known in (("mode", MODES), ("split", SPLITS)):
        for value in view.wanted_values.get(column, ()):
            if value not in known:
                raise wrong(path, ("where", column), f"there is no {column} {value}; {did_you_mean(value, known)}")
    if view.judge and f"{view.task}{SCORES}" not in tables:
        raise wrong(path, ("judge",), f"no judge rates {view.task}: name it in PERSONA_JUDGED")
    if view.diverse and f"{view.task}{QUALITY}" not in tables:
        raise wrong(path, ("diverse",), f"nothing measures {view.task}: name it in PERSONA_MEASURED")
    if view.apart and f"{view.task}{APART}" not in tables:
        said = f"nothing compares {view.task} with benchmarks: name it in PERSONA_MEASURED, and set PERSONA_BENCHMARKS"
        raise wrong(path, ("apart",), said)


def _columns_named(view: View) -> Iterator[tuple[tuple[str, ...], str, bool]]:
    """The columns that a view names: where, which, and whether it has to hold numbers."""
    yield from ((("where", column), column, False) for column in view.where)
    yield from ((("least", column), column, True) for column in view.least)
    if view.stratum:
        yield ("stratum", "column"), view.stratum.column, False
    if view.top:
        yield ("top", "column"), view.top.column, True
        yield from ((("top", "by"), column, False) for column in view.top.by)


def _beside(view: View) -> tuple[tuple[str, bool], ...]:
    """What a view may read beside the dataset, by what follows the dataset's name, and whether it does."""
    return (SCORES, view.judge is not None), (QUALITY, view.diverse), (APART, view.apart)


def selected(
    view: View,
    query: pl.LazyFrame,
    rows: pl.LazyFrame,
    scores: pl.LazyFrame | None = None,
    apart: pl.LazyFrame | None = None,
) -> pl.DataFrame:
    """One row for each that the view holds, in the order in which they are drawn.

    Raises:
        UsageError: no row fits.
    """
    names = rows.collect_schema().names()
    fits = [pl.col(name).cast(pl.String).is_in(list(values)) for name, values in view.wanted_values.items()]
    least = [pl.col(name) >= least for name, least in view.least.items()]
    stratum = pl.col(view.stratum.column).cast(pl.String) if view.stratum else pl.lit(ALL)
    found = rows.filter(*fits) if fits else rows
    if apart is not None:
        found = found.join(apart.select(sample_id=pl.col("parent_ids").list.first()), on="sample_id", how="semi")
    found = _top(found, view.top) if view.top else found
    found = found.filter(*least) if least else found
    if view.judge and scores is not None:
        counted = scores.filter(criterion=view.judge.criterion, standing=CALIBRATED)
        means = counted.group_by("judged_id").agg(pl.col("score").mean()).filter(pl.col("score") >= view.judge.least)
        found = found.join(means.select(sample_id="judged_id"), on="sample_id", how="semi")
    split = pl.col("split").cast(pl.String) if "split" in names else pl.lit(None, pl.String())
    kept = found.select(
        selected_id="sample_id",
        selected_shard="shard",
        **{PERSONAS: "persona_ids"},
        language=pl.col("language") if "language" in names else pl.lit(None, pl.String()),
        split=split,
        stratum=stratum,
    ).collect()
    if view.wanted:
        kept = _drawn(kept, view)
    if not kept.height:
        raise UsageError(f"no row of {view.task} is as the view wants: ask for less, or make the dataset first")
    wanted = pl.DataFrame({"stratum": list(view.wanted), "wanted": list(view.wanted.values())}, schema=_WANTED)
    [parent] = query.select("row_id").collect()["row_id"].to_list()
    return kept.join(wanted, on="stratum", how="left", maintain_order="left").select(
        parent_ids=pl.concat_list(pl.lit(parent)),
        dataset=pl.lit(view.task),
        **{n: n for n in COLUMNS if n != "dataset"},
    )


def _top(rows: pl.LazyFrame, top: Top) -> pl.LazyFrame:
    """Of each group the rows with the highest numbers."""
    group = [pl.col(name) for name in top.by] or [pl.lit(0)]
    counted = rows.filter(pl.col(top.column).cast(pl.Float64).is_finite())
    ordered = counted.sort(top.column, "sample_id", descending=[True, False])
    most = (pl.len() * top.share + _ROUNDING).floor().clip(1).over(group)
    return ordered.filter(pl.int_range(pl.len()).over(group) < most)


_WANTED = {"stratum": pl.String, "wanted": pl.Int64}


def _drawn(rows: pl.DataFrame, view: View) -> pl.DataFrame:
    """Of each stratum the rows with the lowest digests of seed and id.

    Raises:
        UsageError: a stratum has no row at all.
    """
    if missing := [value for value in view.wanted if value not in set(rows["stratum"])] if rows.height else []:
        assert view.stratum
        raise UsageError(f"no row that the view wants has {view.stratum.column} {missing[0]!r}: leave it out")
    wanted = pl.col("stratum").replace_strict(view.wanted, default=0, return_dtype=pl.Int64)
    ordered = rows.with_columns(_order=lots(rows["selected_id"], view.seed)).sort("_order", "selected_id")
    return ordered.filter(pl.int_range(pl.len()).over("stratum") < wanted).drop("_order")
