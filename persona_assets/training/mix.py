"""The mix of a recipe: which rows of which datasets a model is trained on in each stage, and which are held out for it.

Rows are drawn and ordered by digests of seed and id. Whole pages are held out (`split`), and, where a recipe says so,
whole tuples of numbers: maths problems of few kinds have few of these, and a model that has seen them looks its answers
up. What was looked at and is not trained on has a reason in `left_out`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import polars as pl

from persona_assets.constraints.checkers import uncheckable
from persona_assets.contamination.index import BenchmarkIndex
from persona_assets.draws import lots, portions
from persona_assets.errors import UsageError
from persona_assets.ids import digest
from persona_assets.lake import Table
from persona_assets.tasks.data_files import VARIANT
from persona_assets.tasks.set_checks import set_check
from persona_assets.tasks.split import HELD_OUT, TRAIN, split_of
from persona_assets.tasks.values import Value, as_text
from persona_assets.text.near import form
from persona_assets.training.job import BEFORE
from persona_assets.training.recipe import (
    CONVERSATION,
    DUMP,
    HOLDS,
    MESSAGES,
    Part,
    Recipe,
    Stage,
    Suite,
    Variant,
    named,
    pieces_of,
)
from persona_assets.view import blocks as view

OWN, GENERAL, ASKED = "own", "general", "asked"
TAKEN = "taken_id"
PAGES, NUMBERS = "unseen_pages", "unseen_numbers"  # strata of what is held out
# Why a row is not trained on, although its page may be.
UNSEEN, NO_TEXT, DUPLICATE, TOO_LONG = "held_out_numbers", "no_text", "duplicate", "too_long"
IN_BENCHMARK, VARIED, OUT_OF_TURN = "in_benchmark", "variant", "out_of_turn"
# Why a row of a suite is not asked.
TRAINED_ON, UNCHECKED = "trained_on", "no_checker"
MOST_OF_TEST = 0.2  # share of the rows that may be in a benchmark: a recipe with more trains on its own test
COLUMNS: dict[str, Any] = {
    "stage": pl.String,
    "number": pl.Int64,
    "kind": pl.String,
    "role": pl.String,
    "side": pl.String,
    "stratum": pl.String,
    "place": pl.Int64,
    "dataset": pl.String,
    TAKEN: pl.String,
    "taken_shard": pl.String,
    "family": pl.String,
    "language": pl.String,
    BEFORE: CONVERSATION,
    "prompt": pl.String,
    "response": pl.String,
    "rejected": pl.String,
    "request": pl.String,
    "tokens": pl.Int64,
    "left_out": pl.String,
    "wanted": pl.Int64,
}
NULLABLE = tuple(name for name in COLUMNS if name not in ("stage", "number", "kind", "role", "side", "place", "wanted"))
EARLIER = "_earlier"  # the text of all messages in `BEFORE`
TEXTS = (EARLIER, "prompt", "response", "rejected")
HELD = (*TEXTS, "request")
CONSTRAINTS = "constraints"
ANSWERED = ("maths", CONSTRAINTS)  # kinds of suites whose `response` no model reads: what an answer is held to
MARGIN = 16  # tokens that a chat template may put around a question and its answer
_ROLES, _IN_TURN = {"system": "s", "user": "u", "assistant": "a"}, r"^s?(ua)+$"
_NUMBER = r"\d+(?:[.,]\d+)?"
_MOST = 16**32  # digests that there are


class Tokens(Protocol):
    """Counts tokens as the model that is trained does."""

    limit: int | None  # tokens of a row at most, where that is known

    def count(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text."""
        ...


def mixed(
    recipe: Recipe,
    of: Mapping[str, str],
    frames: Mapping[str, pl.LazyFrame],
    tables: Mapping[str, Table],
    held_out_share: float,
    tokens: Callable[[pl.Series], Tokens],
    test: BenchmarkIndex | None = None,
) -> pl.DataFrame:
    """The rows of `COLUMNS`, stage by stage in the order in which they are trained.

    `of` are the values of `over`, `frames` what is read, by table, `held_out_share` the share of pages held out of
    datasets that do not say so themselves. `tokens` is given the texts that are trained on; what overlaps an item of
    `test` is left out. Suites with rows of their own stand behind the stages: nothing of them is trained on, and what
    is trained on in a stage is not asked. A stage or a suite without any row of its own has one without a `taken_id`.
    Memory holds the texts that are drawn, and ids of all others.

    Raises:
        UsageError: much of what it trains on is in its own benchmarks.
    """
    reader = _Reader(recipe, of, frames, tables, held_out_share)
    found = pl.concat([_left_out(reader.stage(number, stage)) for number, stage in enumerate(recipe.stages, 1)])
    found = _without(found, test) if test else found
    behind = enumerate(recipe.asked, 1 + len(recipe.stages))
    found = pl.concat([found, *(_left_out(reader.suite(number, suite)) for number, suite in behind)])
    trained = (pl.col("side") == TRAIN) & pl.col("left_out").is_null()
    counter = tokens(found.filter(trained).select(texts=pl.concat_list(TEXTS).explode())["texts"].drop_nulls())
    lengths = {stage.id: min(filter(None, (stage.train.length, counter.limit)), default=0) for stage in recipe.stages}
    lengths |= {suite.id: counter.limit or 0 for suite in recipe.asked}
    read = found.with_columns(response=pl.when(~pl.col("kind").is_in(ANSWERED)).then("response"))
    counted = {name: pl.Series(name, _counted(read[name], counter), dtype=pl.Int64) for name in TEXTS}
    most = pl.col("stage").replace_strict(lengths, return_dtype=pl.Int64)
    asked, around = counted[EARLIER] + counted["prompt"], MARGIN + pl.col(BEFORE).list.len().fill_null(0) * MARGIN // 2
    longest = asked + pl.DataFrame([counted["response"], counted["rejected"]]).max_horizontal()
    found = found.with_columns(tokens=asked + counted["response"], _longest=longest).with_columns(
        left_out=pl.when(pl.col("left_out").is_null() & (most > 0) & (pl.col("_longest") + around > most))
        .then(pl.lit(TOO_LONG))
        .otherwise("left_out")
    )
    return _placed(_unlearnt(found)).select(*COLUMNS)


def _digests(texts: pl.Series) -> pl.Series:
    return pl.Series([digest(text.encode()) for text in texts], dtype=pl.String)


def _counted(texts: pl.Series, counter: Tokens) -> list[int]:
    there = texts.drop_nulls().unique(maintain_order=True)
    known = dict(zip(there, counter.count(there.to_list()), strict=True))
    return [0 if text is None else known[text] for text in texts]


class _Reader:
    """Draws the rows of stages; the rows of a dataset without their texts, which are read of those that are drawn."""

    def __init__(
        self,
        recipe: Recipe,
        of: Mapping[str, str],
        frames: Mapping[str, pl.LazyFrame],
        tables: Mapping[str, Table],
        share: float,
    ) -> None:
        self.recipe, self.of, self.frames, self.tables, self.share = recipe, of, frames, tables, share
        self._unseen: dict[str, bool] = {}
        self.variant = recipe.variants[of[VARIANT]] if VARIANT in of else None

    def stage(self, number: int, stage: Stage) -> pl.DataFrame:
        """The rows of a stage with their texts, drawn and not yet looked at."""
        several = [self._there(stage, part, self.variant) for part in stage.rows]
        own = _drawn(stage, several)
        general, wanted = list[pl.DataFrame](), 0
        if (part := stage.general) is not None:
            trained = _trained(own)
            wanted = round(trained * part.share / (1 - part.share))
            wanted = min(wanted, part.size or wanted)
            others = self._there(stage, part).join(own, on=TAKEN, how="anti", maintain_order="left")
            general = [_first(others, wanted).with_columns(role=pl.lit(GENERAL))]
        rows = pl.concat([own.with_columns(role=pl.lit(OWN)), *general])
        told: dict[str, str | int] = {"stage": stage.id, "kind": stage.kind, "number": number, "wanted": wanted}
        found = self._with_texts(stage, rows, told)
        return found if _trained(own) else _with_nothing(found, stage, {**told, "role": OWN, "side": TRAIN})

    def suite(self, number: int, suite: Suite) -> pl.DataFrame:
        """The rows of a suite with their texts, drawn as those of a stage are and all of them held out.

        Of rows that come from pages only those of held-out pages count; of others those whose family is held out come
        first, so that recipes which train on different rows are asked the same.
        """
        several = []
        for part in suite.rows:
            rows = self._there(suite, part).filter(~pl.col("_paged") | (pl.col("side") == HELD_OUT))
            unseen = (pl.col("stratum") == NUMBERS) | (pl.col("left_out") == UNSEEN)
            stratum = pl.when("_paged").then("stratum").when(unseen).then(pl.lit(NUMBERS))
            turn = pl.when(pl.col("side") == HELD_OUT).then(pl.lit("0")).otherwise(pl.lit("1"))
            rows = rows.with_columns(stratum=stratum, _order=turn + pl.col("_order")).sort(turn, maintain_order=True)
            several.append(rows.with_columns(side=pl.lit(TRAIN), left_out=pl.lit(None, pl.String)))
        rows = _drawn(suite, several).with_columns(side=pl.lit(HELD_OUT), role=pl.lit(ASKED))
        told: dict[str, str | int] = {"stage": suite.id, "kind": suite.kind, "number": number, "wanted": 0}
        found = self._with_texts(suite, rows, told)
        return found if rows.height else _with_nothing(found, suite, {**told, "role": ASKED, "side": HELD_OUT})

    def _with_texts(self, of: Stage | Suite, rows: pl.DataFrame, told: Mapping[str, str | int]) -> pl.DataFrame:
        """Rows with their texts and what is told of all of them; of those held out no more than the recipe says."""
        held = (pl.col("side") == HELD_OUT).fill_null(value=False)
        rank = pl.int_range(pl.len()).over("role", "stratum")
        rows = rows.filter(~held | (rank < self.recipe.held_out.size))
        texts = pl.concat(
            [self._texts(of, at, part, rows.filter(pl.col("_part") == at)) for at, part in enumerate(of.parts)],
            how="diagonal_relaxed",
        )
        found = rows.join(texts, on=[TAKEN, "_part"], how="left", maintain_order="left")
        wanted = (BEFORE, "_fault", *(name for name in HELD if name != EARLIER))
        return found.with_columns(
            *(pl.lit(value, COLUMNS[name]).alias(name) for name, value in told.items()),
            *(pl.lit(None, COLUMNS.get(name, pl.String)).alias(name) for name in wanted if name not in found.columns),
        ).with_columns(_contents(pl.col(BEFORE)).list.join("\n").alias(EARLIER))

    def _there(self, stage: Stage | Suite, part: Part, variant: Variant | None = None) -> pl.DataFrame:
        """The rows of a part in the order in which they are drawn: ids, sides and strata, without texts."""
        rows = self._joined(part, variant)
        names = rows.collect_schema()
        fits = [_fits(names[name], name, wanted, self.of) for name, wanted in part.where.items()]
        lacks = pl.lit(value=False)
        if variant:
            without = [_fits(names[name], name, wanted, self.of) for name, wanted in variant.without.items()]
            only = [~_fits(names[name], name, wanted, self.of) for name, wanted in variant.only.items()]
            lacks = pl.any_horizontal(lacks, *without, *only)
        texts = self._sources(part)
        asked = _opening(texts.get(BEFORE), texts["prompt"]) if "prompt" in texts else texts["response"]
        page = pl.col("document_id") if "document_id" in names else pl.lit(None, pl.String)
        numbers = asked.str.extract_all(_NUMBER).list.join(",") if self.recipe.held_out.numbers else pl.lit("")
        found = (
            rows.filter(*fits)
            .select(
                pl.col("sample_id").alias(TAKEN),
                taken_shard="shard",
                language=pl.col("language") if "language" in names else pl.lit(None, pl.String),
                _page=page,
                split=pl.col("split") if "split" in names else pl.lit(None, pl.String),
                _prompt=form(asked).map_batches(_digests, return_dtype=pl.String),
                _numbers=numbers.fill_null(""),
                _persona=pl.col("persona_ids").list.first() if "persona_ids" in names else pl.lit(None, pl.String),
                _lacks=lacks.fill_null(value=False),
                _strata=pl.concat_str([pl.col(name).cast(pl.String) for name in part.strata] or pl.lit("")),
            )
            .collect()
        )
        found = found.with_columns(_order=lots(found[TAKEN], self.recipe.seed)).sort("_order", TAKEN)
        # Of rows that come from no page those with one prompt are a family, in whichever dataset and recipe they stand.
        found = found.with_columns(
            family=pl.coalesce("_page", "_prompt"), _paged=pl.coalesce("_page", "split").is_not_null()
        )
        side = pl.coalesce("split", split_of(found["family"], self.share))
        unseen = pl.Series([self._is_unseen(one) for one in found["_numbers"]], dtype=pl.Boolean)
        found = found.with_columns(side=side).with_columns(
            left_out=pl.when((pl.col("side") != HELD_OUT) & unseen)
            .then(pl.lit(UNSEEN))
            .when((pl.col("side") != HELD_OUT) & pl.col("_lacks"))
            .then(pl.lit(VARIED)),
            stratum=pl.when(pl.col("side") == HELD_OUT).then(
                pl.when(unseen).then(pl.lit(NUMBERS)).otherwise(pl.lit(PAGES))
            ),
        )
        if variant:
            found = self._fewer(found, variant)
        if part.strata:
            found = found.with_columns(_rank=pl.int_range(pl.len()).over("_strata")).sort("_rank", "_order", TAKEN)
        columns = (TAKEN, "taken_shard", "family", "language", "side", "stratum", "left_out", "_order", "_paged")
        return found.select(*columns, dataset=pl.lit(part.dataset), _part=pl.lit(stage.parts.index(part)))

    def _fewer(self, rows: pl.DataFrame, variant: Variant) -> pl.DataFrame:
        """The rows, those left out that a variant has fewer of: of personas, of each of these, of all."""
        personas = rows.select(pl.col("_persona").unique().drop_nulls()).to_series()
        drawn = lots(personas, self.recipe.seed).rank("ordinal") <= max(1, round(variant.personas * len(personas)))
        kept = (
            pl.col("_persona").is_in(personas.filter(drawn).implode()) if variant.personas < 1 else pl.lit(value=True)
        )
        kept = kept & _USED
        if variant.per_persona:
            kept = kept & (kept.cum_sum().over("_persona") <= variant.per_persona)
        kept = kept & (kept.cum_sum() <= kept.sum() * variant.share)
        return rows.with_columns(
            left_out=pl.when(_USED & ~kept.fill_null(value=False)).then(pl.lit(VARIED)).otherwise("left_out")
        )

    def _is_unseen(self, numbers: str) -> bool:
        """Whether a tuple of numbers is held out."""
        if not numbers:
            return False
        if numbers not in self._unseen:
            drawn = int(digest(f"numbers/{self.recipe.seed}/{numbers}".encode()), 16) / _MOST
            self._unseen[numbers] = drawn < self.recipe.held_out.numbers
        return self._unseen[numbers]

    def _texts(self, stage: Stage | Suite, at: int, part: Part, rows: pl.DataFrame) -> pl.DataFrame:
        """The texts of some rows of a part."""
        ids = rows.select(TAKEN).lazy()
        read = self._joined(part).join(ids, left_on="sample_id", right_on=TAKEN, how="semi")
        texts = read.select(pl.col("sample_id").alias(TAKEN), **self._sources(part)).collect()
        return texts.with_columns(_part=pl.lit(at))

    def _joined(self, part: Part, variant: Variant | None = None) -> pl.LazyFrame:
        """A dataset's rows, with `<table>.<column>` of what they were made from where that is looked at."""
        rows, table = self.frames[part.dataset], self.tables[part.dataset]
        if DUMP not in table.polars:
            rows = rows.with_columns(pl.col("shard").str.replace(r"\.[^.]*$", "").alias(DUMP))
        wanted: dict[str, list[str]] = {}
        for source in (*part.columns.values(), *part.where, *part.strata, *(variant.columns if variant else ())):
            for above, name in (piece for piece in pieces_of(source) if not isinstance(piece, str)):
                if above and name not in wanted.setdefault(above, []):
                    wanted[above].append(name)
        for above, names in wanted.items():
            link = next(one for one in table.parents if one.direct and above in one.tables)
            first = pl.col(link.column)
            first = first.list.first() if isinstance(table.polars[link.column], pl.List) else first
            texts = self.frames[above].select(
                pl.col(self.tables[above].key).alias("_above"),
                *(pl.col(name).alias(f"{above}.{name}") for name in names),
            )
            rows = rows.with_columns(_above=first).join(texts, on="_above", how="left").drop("_above")
        return rows

    @staticmethod
    def _sources(part: Part) -> dict[str, pl.Expr]:
        """The texts of a part, by the mix's columns; "" is one that is missing."""
        if MESSAGES in part.columns:
            return _talk(_text(part.columns[MESSAGES]))
        return {HOLDS[name]: _text(source).fill_null("") for name, source in part.columns.items()}


def _with_nothing(rows: pl.DataFrame, of: Stage | Suite, told: Mapping[str, str | int]) -> pl.DataFrame:
    """The rows with one that stands for what is missing."""
    nothing = {**told, "dataset": of.rows[0].dataset}
    return pl.concat([rows, pl.DataFrame([nothing])], how="diagonal_relaxed")


def _text(source: str) -> pl.Expr:
    pieces = pieces_of(source)
    if len(pieces) == 1 and not isinstance(pieces[0], str):
        return _column(*pieces[0])
    return pl.concat_str([pl.lit(one) if isinstance(one, str) else _column(*one) for one in pieces])


def _column(above: str, name: str) -> pl.Expr:
    return pl.col(f"{above}.{name}" if above else name)


def _field(messages: pl.Expr, name: str) -> pl.Expr:
    return messages.list.eval(pl.element().struct.field(name))


def _contents(messages: pl.Expr) -> pl.Expr:
    return _field(messages, "content")


def _talk(told: pl.Expr) -> dict[str, pl.Expr]:
    """A conversation: its last question and answer, the messages before these, and why it is none to train on.

    The system may say something first, then user and assistant speak in turn, and all say something. A message of the
    system without a word is left out of it.
    """
    blank = pl.element().struct.field("content").str.strip_chars().fill_null("") == ""
    by_system = (pl.element().struct.field("role") == "system").fill_null(value=False)
    said = told.list.filter(~(by_system & blank)).fill_null([])
    roles = _field(said, "role").list.eval(pl.element().replace_strict(_ROLES, default="?")).list.join("")
    return {
        BEFORE: said.list.head(pl.max_horizontal(said.list.len().cast(pl.Int64) - 2, 0)),
        "prompt": _contents(said).list.get(-2, null_on_oob=True).fill_null(""),
        "response": _contents(said).list.get(-1, null_on_oob=True).fill_null(""),
        "_fault": pl.when(said.list.eval(blank).list.any() | (said.list.len() == 0))
        .then(pl.lit(NO_TEXT))
        .when(~roles.str.contains(_IN_TURN))
        .then(pl.lit(OUT_OF_TURN)),
    }


def _opening(before: pl.Expr | None, prompt: pl.Expr) -> pl.Expr:
    """What the user says first."""
    if before is None:
        return prompt
    of_user = before.list.filter(pl.element().struct.field("role") == "user")
    return pl.coalesce(_contents(of_user).list.first(), prompt)


def _fits(dtype: pl.DataType, column: str, wanted: Value | tuple[Value, ...], of: Mapping[str, str]) -> pl.Expr:
    several = wanted if isinstance(wanted, tuple) else (wanted,)
    told = [of[name] if (name := named(one)) else as_text(one) for one in several]
    if isinstance(dtype, pl.List):
        return pl.any_horizontal(pl.col(column).list.contains(one) for one in told)
    return pl.col(column).cast(pl.String).is_in(told)


# Drawing

_USED = (pl.col("side") != HELD_OUT) & pl.col("left_out").is_null()


def _trained(rows: pl.DataFrame) -> int:
    return rows.filter(_USED).height


def _first(rows: pl.DataFrame, most: int | None) -> pl.DataFrame:
    """The first rows that may be trained on, `most` of them, and all others."""
    if most is None:
        return rows
    return rows.filter(~_USED | (_USED.cum_sum() <= most))


def _drawn(stage: Stage | Suite, parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The own rows of a stage or a suite, each once: of each part as many as all sizes and its weight say."""
    sizes = [part.size for part in stage.rows]
    weights = [part.weight for part in stage.rows if part.weight is not None]
    if weights:
        there = [min(_trained(rows), size or _trained(rows)) for rows, size in zip(parts, sizes, strict=True)]
        whole = min(int(count * sum(weights) / weight + 1e-9) for count, weight in zip(there, weights, strict=True))
        whole = min(whole, stage.size or whole)
        shares = {str(at): weight / sum(weights) for at, weight in enumerate(weights)}
        sizes = list(portions(shares, whole).values())
    drawn = [_first(rows, size) for rows, size in zip(parts, sizes, strict=True)]
    own = pl.concat(drawn).unique(TAKEN, keep="first", maintain_order=True).sort("_order", TAKEN)
    return own if weights else _first(own, stage.size)


def _left_out(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of a stage with why those that have no text, or the texts of an earlier one, are left out.

    Of two alike on both sides the one that is trained on counts.
    """
    lacking = pl.any_horizontal((pl.col(name).str.strip_chars() == "").fill_null(value=False) for name in HELD)
    plain = [form(pl.col(name)).alias(name) for name in HELD]
    rows = rows.with_columns(
        left_out=pl.when(pl.col("left_out").is_null() & pl.col(TAKEN).is_not_null() & lacking)
        .then(pl.lit(NO_TEXT))
        .otherwise(pl.coalesce("left_out", "_fault"))
    )
    counts = [pl.col("left_out").is_null(), pl.col("side") == TRAIN, pl.col("role") == OWN]
    order = rows.with_row_index("_at").sort(*counts, "_at", descending=[True, True, True, False])
    again = ~pl.struct(plain).is_first_distinct()
    order = order.with_columns(
        left_out=pl.when(pl.col("left_out").is_null() & pl.col(TAKEN).is_not_null() & again)
        .then(pl.lit(DUPLICATE))
        .otherwise("left_out")
    )
    return order.sort("_at").drop("_at").select(*_DRAWN)


def _unlearnt(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows, those of suites left out that ask what is trained on in a stage, or that no program can check.

    What a variant leaves out counts as trained on, so that variants are asked alike.
    """
    prompt = form(pl.coalesce(_opening(pl.col(BEFORE), pl.col("prompt")), "response"))
    learnt = (pl.col("side") == TRAIN) & (pl.col("left_out").is_null() | (pl.col("left_out") == VARIED))
    known = rows.filter(learnt).select(prompt=prompt.unique())["prompt"]
    faults = [
        kind == CONSTRAINTS and text is not None and bool(uncheckable(text, language or "en", request or ""))
        for kind, text, language, request in rows.select("kind", "response", "language", "request").iter_rows()
    ]
    used = (pl.col("role") == ASKED) & pl.col("left_out").is_null() & pl.col(TAKEN).is_not_null()
    return rows.with_columns(
        left_out=pl.when(used & prompt.is_in(known.implode()))
        .then(pl.lit(TRAINED_ON))
        .when(used & pl.Series(faults, dtype=pl.Boolean))
        .then(pl.lit(UNCHECKED))
        .otherwise("left_out")
    )


def _without(rows: pl.DataFrame, test: BenchmarkIndex) -> pl.DataFrame:
    """The rows, those that share a piece with an item of a benchmark left out."""
    used = pl.col("left_out").is_null() & pl.col(TAKEN).is_not_null()
    trained = rows.with_row_index("_at").filter(used & (pl.col("side") == TRAIN))
    texts = trained.select(pl.concat_str([pl.col(name) for name in TEXTS], separator="\n", ignore_nulls=True))
    hit = trained["_at"].gather(test.hits(texts.to_series())["row"].unique())
    if len(hit) > MOST_OF_TEST * max(trained.height, 1):
        files = ", ".join(sorted({item.file for item in test.items}))
        said = f"{len(hit):,} of {trained.height:,} rows that it trains on are in the benchmarks that it is measured by"
        raise UsageError(f"{said} ({files}): train on others, or measure by others")
    is_hit = pl.int_range(pl.len(), dtype=pl.UInt32).is_in(hit.implode())
    return rows.with_columns(left_out=pl.when(used & is_hit).then(pl.lit(IN_BENCHMARK)).otherwise("left_out"))


_DRAWN = (*(name for name in COLUMNS if name not in ("place", "tokens")), EARLIER, "_order")


def _placed(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows stage by stage: those that are trained on in their order, then what is held out, then what is left."""
    held = pl.col("side") == HELD_OUT
    rows = rows.sort("number", pl.col("left_out").is_not_null(), held, "_order", TAKEN)
    return rows.with_columns(place=pl.int_range(pl.len(), dtype=pl.Int64).over("number"))


# What is looked at in a mix


@set_check(description="Every stage has rows of its own to train on.")
def no_empty_stage(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The first row of each stage in which nothing is trained on; suites are none."""
    used = (pl.col("role") == OWN) & _USED & pl.col(TAKEN).is_not_null()
    stages = rows.filter(pl.col("role") != ASKED)
    return stages.filter(~used.any().over("stage")).unique("stage", keep="first", maintain_order=True)


def nothing_asked(rows: pl.LazyFrame) -> pl.DataFrame:
    """Suites with rows of their own of which none is left: `shard`, `stage`, and the rows that were `looked_at`."""
    used = pl.col("left_out").is_null() & pl.col(TAKEN).is_not_null()
    of = rows.filter(pl.col("role") == ASKED).group_by("shard", "stage")
    found = of.agg(items=used.sum(), looked_at=pl.col(TAKEN).is_not_null().sum().cast(pl.Int64))
    return found.filter(pl.col("items") == 0).drop("items").sort("shard", "stage").collect()


def too_few_general(rows: pl.LazyFrame) -> pl.DataFrame:
    """Stages with fewer general rows than the recipe wants: `shard`, `stage`, `general` rows and those `wanted`."""
    used = (pl.col("role") == GENERAL) & (pl.col("side") == TRAIN) & pl.col("left_out").is_null()
    of = rows.group_by("shard", "stage").agg(general=used.sum().cast(pl.Int64), wanted=pl.col("wanted").max())
    return of.filter(pl.col("general") < pl.col("wanted")).sort("shard", "stage").collect()


_KINDS = {
    "trained on": view.Kind("trained on", "blue", "█"),
    "held out": view.Kind("held out", "amber", "▒"),
    "left out": view.Kind("left out", "grey", "░"),
}


def mix_shown(rows: pl.DataFrame) -> list[view.Block]:
    """What there is to look at: by stage, dataset and language the rows and tokens, and why rows are left out."""
    fate = (
        pl.when(pl.col("left_out").is_not_null())
        .then(pl.lit("left out"))
        .when(pl.col("side") == HELD_OUT)
        .then(pl.lit("held out"))
        .otherwise(pl.lit("trained on"))
    )
    there = rows.filter(pl.col(TAKEN).is_not_null()).with_columns(fate=fate)
    by = ["number", "stage", "kind", "role", "dataset", "language"]
    counts = [(pl.col("fate") == name).sum().alias(name) for name in _KINDS]
    tokens = pl.col("tokens").filter(pl.col("fate") == "trained on")
    told = there.group_by(by).agg(*counts, tokens=tokens.sum(), mean=tokens.mean())
    told = told.sort("number", "role", "dataset", "language", descending=[False, True, False, False])
    most = max([1, *told.select(pl.sum_horizontal(*_KINDS)).to_series()])
    heads = [*view.whole("stage", "kind", "rows", "of", "language"), *view.right(*_KINDS, "tokens", "mean")]
    drawn: list[list[view.Cell]] = [
        [
            *(view.Code(row[name] or "") for name in ("stage", "kind", "role", "dataset", "language")),
            *(f"{row[name]:,}" for name in (*_KINDS, "tokens")),
            f"{row['mean'] or 0:,.0f}",
            view.bar(most, *((kind, row[name]) for name, kind in _KINDS.items())),
        ]
        for row in told.iter_rows(named=True)
    ]
    found: list[view.Block] = [view.Legend([*_KINDS.values()]), view.Table([*heads, *view.whole("")], drawn)]
    return [*found, *([view.Lines(lines)] if (lines := [*_said(rows, there)]) else [])]


def _said(rows: pl.DataFrame, there: pl.DataFrame) -> Iterator[str]:
    """Why rows are left out, where general rows are too few, and which suites are empty."""
    reasons = there.drop_nulls("left_out").group_by("left_out").len().sort("left_out").iter_rows()
    if lines := [f"{count:,} {reason}" for reason, count in reasons]:
        yield f"Left out: {', '.join(lines)}."
    for _, stage, general, wanted in too_few_general(rows.lazy()).iter_rows():
        yield f"{stage}: {general:,} general rows, {wanted:,} wanted."
    for _, suite, looked_at in nothing_asked(rows.lazy()).iter_rows():
        yield f"{suite}: nothing is asked, of {looked_at:,} rows that were looked at."
