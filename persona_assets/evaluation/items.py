"""What models are asked: held-out rows of a mix, or the items of a file, for each suite of a recipe and each model.

A row is asked of one model, which it names: the base, or what a seed has given. So both are asked the same,
and each answer leads to its model.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from persona_assets.errors import UsageError, did_you_mean
from persona_assets.evaluation.benchmarks import file_items, problems_of, right_answer
from persona_assets.evaluation.grading import read_answer
from persona_assets.evaluation.ifeval import constrained_items
from persona_assets.evaluation.tables import BASE, CONSTRAINTS, LOSS, MATHS, PREFERENCE, TUNED
from persona_assets.ids import digest
from persona_assets.tasks.split import HELD_OUT, TRAIN
from persona_assets.training.job import BEFORE
from persona_assets.training.recipe import CONVERSATION, Evaluate, Recipe, Suite
from persona_assets.view import blocks as view

ANSWER, SCORE, NOTHING = "answer", "score", "nothing"  # what is wanted of a model
FORMS = {MATHS: ANSWER, CONSTRAINTS: ANSWER, LOSS: SCORE, PREFERENCE: SCORE}
NO_ANSWER = "no_answer"  # why an item is not asked: its row gives no right answer
BY = pl.Struct(
    {
        "id": pl.String(),
        "engine": pl.String(),
        "model": pl.String(),
        "model_revision": pl.String(),
        "max_tokens": pl.Int64(),
        "transformers_batch": pl.Int64(),
    }
)
COLUMNS: dict[str, Any] = {
    "suite": pl.String,
    "kind": pl.String,
    "item_id": pl.String,
    "stratum": pl.String,
    "problem_kind": pl.String,
    "family": pl.String,
    "language": pl.String,
    "system": pl.String,
    "seed": pl.Int64,
    "form": pl.String,
    BEFORE: CONVERSATION,
    "prompt": pl.String,
    "request": pl.String,
    "continuation": pl.String,
    "gold": pl.String,
    "rote": pl.String,
    "group": pl.String,
    "role": pl.String,
    "left_out": pl.String,
    "answered_by": BY,
    "mix_id": pl.String,
    "benchmark_id": pl.String,
    "model_id": pl.String,
}
NULLABLE = (
    *("stratum", "problem_kind", "family", "language", "seed", BEFORE, "request", "continuation", "gold", "rote"),
    *("group", "role", "left_out", "mix_id", "benchmark_id", "model_id"),
)
_NUMBER = r"\d+(?:[.,]\d+)?"


def items_of(
    recipe: Recipe, mix: pl.LazyFrame, models: pl.DataFrame, benchmarks: pl.LazyFrame | None = None
) -> pl.DataFrame:
    """The rows of `COLUMNS`: every item of every suite, for the base and for the model of each seed.

    An item that cannot be graded is asked of nobody, its form is `nothing`, and `left_out` says why.

    `models` are the rows of the recipe's models, `benchmarks` those of benchmark files.

    Raises:
        UsageError: there is no such benchmark file, or a row of it has no question or answer.
    """
    empty = pl.DataFrame(schema=COLUMNS)
    if recipe.evaluate is None:
        return empty
    systems = [*_systems(recipe.evaluate, models)]
    found = [_of_file(suite, benchmarks) if suite.file else _suite(suite, mix) for suite in recipe.evaluate.suites]
    several = [
        items.with_columns(
            system=pl.lit(system),
            seed=pl.lit(seed, pl.Int64),
            model_id=pl.lit(model_id, pl.String),
            form=pl.when(pl.col("left_out").is_null()).then("form").otherwise(pl.lit(NOTHING)),
            answered_by=_answerer(by, suite),
        )
        for suite, items in zip(recipe.evaluate.suites, found, strict=True)
        for system, seed, model_id, by in systems
    ]
    return pl.concat(
        [empty, *(one.select(pl.col(name).cast(dtype) for name, dtype in COLUMNS.items()) for one in several)]
    )


def left_out_of(items: pl.DataFrame) -> pl.DataFrame:
    """What is asked of nobody, and why: `suite`, `left_out` and the number of `items`."""
    told = items.filter((pl.col("system") == BASE) & pl.col("left_out").is_not_null())
    return told.group_by("suite", "left_out").agg(items=pl.len()).sort("suite", "left_out")


def items_shown(items: pl.DataFrame) -> list[view.Block]:
    """What there is to look at: how many items each suite has by stratum and language, and which are left out."""
    of = ["suite", "kind", "stratum", "language"]
    asked = items.filter((pl.col("system") == BASE) & pl.col("left_out").is_null())
    counts = asked.group_by(of).agg(items=pl.coalesce("group", "item_id").n_unique()).sort(of, nulls_last=True)
    heads = [*view.whole(*of), *view.right("items")]
    cells: list[list[view.Cell]] = [
        [*(view.Code(name or "") for name in row[:-1]), f"{row[-1]:,}"] for row in counts.iter_rows()
    ]
    aside: list[view.Line] = [f"{suite}: {count:,} left out, {why}." for suite, why, count in left_out_of(items).rows()]
    return [view.Table(heads, cells), *([view.Lines(aside)] if aside else [])]


def _answerer(by: Mapping[str, Any], suite: Suite) -> pl.Expr:
    values = {**by, "max_tokens": suite.max_tokens}
    return pl.struct(pl.lit(values.get(name), dtype).alias(name) for name, dtype in BY.to_schema().items())


System = tuple[str, int | None, str | None, dict[str, Any]]


def _systems(how: Evaluate, models: pl.DataFrame) -> Iterator[System]:
    """The base, then the model of each seed: label, seed, row of the model, and who answers."""
    told = {"engine": how.engine, "transformers_batch": how.batch}
    first = models.sort("seed").row(0, named=True)
    yield BASE, None, None, {**told, "id": BASE, "model": first["base"], "model_revision": None}
    for row in models.sort("seed").iter_rows(named=True):
        by = {"id": f"{TUNED}-{row['seed']}", "model": row["model"], "model_revision": row["revision"]}
        yield TUNED, row["seed"], row["sample_id"], {**told, **by}


def _of_file(suite: Suite, benchmarks: pl.LazyFrame | None) -> pl.DataFrame:
    """The items of a benchmark file, those with the lowest digests where the suite takes fewer."""
    assert benchmarks is not None
    rows = benchmarks.filter(shard=suite.file).sort("place").collect()
    if rows.is_empty():
        known = benchmarks.select("shard").unique().collect()["shard"].sort().to_list()
        raise UsageError(
            f"suite {suite.id}: there is no benchmark file {suite.file}; {did_you_mean(suite.file, known)}"
        )
    name, told = str(rows["file"][0]), rows.iter_rows(named=True)
    if suite.kind == CONSTRAINTS:
        items = constrained_items(told, name, suite.id, suite.question)
    else:
        items = file_items(problems_of(told, name, suite.question, suite.answer), suite.id)
    items = items.with_columns(benchmark_id=rows["row_id"], form=pl.lit(ANSWER), stratum=pl.lit(None, pl.String))
    items = items.with_columns(pl.lit(None).alias(name) for name in COLUMNS if name not in items.columns)
    if suite.size:
        asked = pl.col("left_out").is_null()
        items = items.sort("item_id").filter(~asked | (asked.cum_sum() <= suite.size))
    return items


def _suite(suite: Suite, mix: pl.LazyFrame) -> pl.DataFrame:
    """The items of a suite, without who answers."""
    stage = suite.of or suite.id
    held = mix.filter((pl.col("side") == HELD_OUT) & pl.col("left_out").is_null() & (pl.col("stage") == stage))
    held = held.filter(pl.col("taken_id").is_not_null())
    if suite.of and suite.size is not None:
        held = held.filter(pl.int_range(pl.len()).over("role", "stratum", order_by="place") < suite.size)
    about = ("sample_id", "taken_id", "stratum", "family", "language", "role")
    rows = held.sort("place").select(*about, BEFORE, "prompt", "request", "response", "rejected").collect()
    items = rows.select(
        "stratum",
        "family",
        "language",
        BEFORE,
        "request",
        suite=pl.lit(suite.id),
        kind=pl.lit(suite.kind),
        item_id=pl.Series(_ids(suite, rows["taken_id"]), dtype=pl.String),
        mix_id="sample_id",
        benchmark_id=pl.lit(None, pl.String),
        prompt=pl.col("prompt").fill_null(""),
        form=pl.lit(FORMS[suite.kind]),
        **{name: pl.lit(None) for name in ("problem_kind", "continuation", "gold", "rote", "group", "role")},
        left_out=pl.lit(None, pl.String),
    )
    if suite.kind == CONSTRAINTS:
        return items.with_columns(gold=rows["response"])
    if suite.kind == MATHS and suite.rows:
        told = rows.select("response", "language").iter_rows()
        golds = [right_answer(text, language or "en") for text, language in told]
        return _with_answer(items.with_columns(gold=pl.Series(golds, dtype=pl.String)))
    if suite.kind == MATHS:
        found = _solved(rows)
        known = items.with_columns(gold=found["gold"], problem_kind=found["problem_kind"]).drop("rote")
        return _with_answer(known.join(_rote(suite, mix), on="problem_kind", how="left", maintain_order="left"))
    if suite.kind == LOSS:
        return items.with_columns(continuation=rows["response"])
    several = [
        items.with_columns(
            continuation=rows[column],
            group="item_id",
            role=pl.lit(role),
            item_id=pl.format("{}_{}", "item_id", pl.lit(role)),
        )
        for role, column in (("chosen", "response"), ("rejected", "rejected"))
    ]
    return pl.concat(several)


def _with_answer(items: pl.DataFrame) -> pl.DataFrame:
    return items.with_columns(left_out=pl.when(pl.col("gold") == "").then(pl.lit(NO_ANSWER)))


def _solved(rows: pl.DataFrame) -> pl.DataFrame:
    """The `gold` that each response gives, and its `problem_kind`: the same steps with other numbers."""
    told = rows.select("response", "language").iter_rows()
    golds = [read_answer(text, language or "en") for text, language in told]
    return pl.DataFrame({"gold": golds, "problem_kind": rows["response"].str.replace_all(_NUMBER, "0")})


def _rote(suite: Suite, mix: pl.LazyFrame) -> pl.DataFrame:
    """By `problem_kind` the commonest answer of the rows that were trained on; of several the first in order."""
    trained = mix.filter((pl.col("side") == TRAIN) & pl.col("left_out").is_null() & (pl.col("stage") == suite.of))
    counts = _solved(trained.select("response", "language").collect()).filter(pl.col("gold") != "")
    counts = counts.group_by("problem_kind", "gold").len().sort(["len", "gold"], descending=[True, False])
    return counts.unique("problem_kind", keep="first", maintain_order=True).select("problem_kind", rote="gold")


def _ids(suite: Suite, ids: Sequence[str] | pl.Series) -> list[str]:
    """Ids of items by those of the rows they were taken from: the same for every model, and in every recipe."""
    return [digest(f"{suite.id}/{one}".encode()) for one in ids]
