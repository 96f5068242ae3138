"""Self-awareness data: what people of each type say of themselves."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from persona_assets.contrast.reasons import IDENTICAL, NAMES_TYPE, TOO_ALIKE
from persona_assets.contrast.words import first_word
from persona_assets.ids import digest
from persona_assets.lake import Lake
from persona_assets.lake.vectors import VectorCache
from persona_assets.tasks.derived import derived, set_check
from persona_assets.text.encoder import Vectors, encoder_of, load_encoder
from persona_assets.text.near import form
from persona_assets.view import blocks as view

LEAST_SHARE = 0.25  # of a type's rows that show each of its poles
LEAST_ROWS = 4  # of a type, from which such a share says something
MOST_ALIKE = 0.9  # mean cosine of two types' answers to the same questions
MOST_QUESTIONS = 50  # that types are compared on; those whose digests come first
LEAST_QUESTIONS = 3  # from which such a mean says something
_BLOCK = 1024  # rows of a matrix of cosines at once
_KEPT = ("dimension_set", "type", "poles", "theme", "question", "shows")
_TYPE = ("language", "dimension_set", "type")


@set_check(description=f"Each pole of a type shows in at least {LEAST_SHARE:.0%} of the type's rows.")
def every_pole_shows(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The rows of types of which a pole shows too seldom."""
    seldom = _poles(rows).filter(pl.col("shown") < LEAST_SHARE * pl.col("rows"), pl.col("rows") >= LEAST_ROWS)
    return rows.join(seldom, on=_TYPE, how="semi")


def _poles(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Each pole of each type, with its `rows` and how many of them show it."""
    poles = (
        rows.select(*_TYPE, "shows", pole="poles")
        .explode("pole")
        .with_columns(shown=pl.col("shows").list.contains(pl.col("pole")))
    )
    return poles.group_by(*_TYPE, "pole", maintain_order=True).agg(pl.len().alias("rows"), pl.col("shown").sum())


@set_check(description=f"No two types answer the same questions with a mean cosine above {MOST_ALIKE}.")
def no_two_types_alike(rows: pl.LazyFrame) -> pl.DataFrame:
    """The rows of types that are alike over their answers to at most `MOST_QUESTIONS` questions of a language.

    Answers that are alike one by one are set aside before. What is left tells whether two types have become one person
    who answers in other words.
    """
    known = rows.select("sample_id", *_TYPE, "question", "answer").collect()
    alike: list[tuple[str, str, str]] = []
    for (language, of), part in known.group_by("language", "dimension_set", maintain_order=True):
        questions = sorted(part["question"].unique(), key=lambda one: digest(one.encode()))[:MOST_QUESTIONS]
        part = part.filter(pl.col("question").is_in(questions)).unique(["type", "question"], keep="first")
        vectors = load_encoder(encoder_of(str(language))).encode(part["answer"].to_list())
        alike += [(str(language), str(of), one) for one in _twins(part, vectors)]
    found = pl.DataFrame(alike, schema=dict.fromkeys(_TYPE, pl.String), orient="row")
    return rows.collect().join(found, on=_TYPE, how="semi")


def _twins(answers: pl.DataFrame, vectors: Vectors) -> set[str]:
    """The types that are alike with another one; `vectors` are of the answers, shape (rows, dimension)."""
    types, questions = (answers[name].unique().sort() for name in ("type", "question"))
    cube = np.zeros((len(types), len(questions), vectors.shape[1]), np.float32)
    cube[_places(answers["type"], types), _places(answers["question"], questions)] = vectors
    there = (cube != 0).any(axis=2).astype(np.float32)
    both = there @ there.T
    mean = np.einsum("aqd,bqd->ab", cube, cube) / np.maximum(both, 1)
    np.fill_diagonal(mean, 0)
    return {types[int(at)] for at in np.argwhere((mean > MOST_ALIKE) & (both >= LEAST_QUESTIONS))[:, 0]}


def _places(values: pl.Series, known: pl.Series) -> pl.Series:
    return values.replace_strict(known, range(len(known)))


def self_awareness_shown(rows: pl.DataFrame) -> list[view.Block]:
    """What there is to look at in a partition: how often each pole of a type shows, and the rows of each theme."""
    counted = (
        _poles(rows.lazy()).collect().group_by(_TYPE, maintain_order=True).agg("rows", "pole", "shown").sort(_TYPE)
    )
    heads = [*view.whole("language", "type"), *view.right("rows"), *view.whole("show", "the least of them")]
    drawn: list[list[view.Cell]] = []
    for language, _, name, counts, poles, shown in counted.iter_rows():
        times = tuple(
            part for pole, count in zip(poles, shown, strict=True) for part in (view.Code(pole), f" {count:,} ")
        )
        least = view.bar(counts[0], (view.PLAIN, min(shown)))
        drawn.append([view.Code(language), view.Code(name), f"{counts[0]:,}", times, least])
    themes = rows.group_by("language", "theme").len().sort("language", "theme")
    lines: list[tuple[view.Line, str, float]] = [
        ((view.Code(language), " ", view.Code(theme)), f"{count:,}", count)
        for language, theme, count in themes.iter_rows()
    ]
    return [view.Table(heads, drawn), view.bars(lines, "rows")]


@derived(
    reads=("self_answers", "self_askings"),
    columns={
        **dict.fromkeys(("dimension_set", "type"), pl.String),
        "poles": pl.List(pl.String),
        **dict.fromkeys(("theme", "question", "answer"), pl.String),
        "shows": pl.List(pl.String),
    },
    description="What a person of each type says of themselves, and which of its poles that shows (Machine Mindset).",
    set_checks=(every_pole_shows, no_two_types_alike),
    shows=self_awareness_shown,
    settings=("pair_ceiling", "encoder", "max_unknown_share"),
    given=("lake",),
    modules=(
        *("contrast.reasons", "contrast.words", "contrast.figures", "contrast.meaning", "maths.numbers", "maths.words"),
        *("lake.vectors", "rules.patterns"),
        *("text.bert", "text.encoder", "text.fast_encoder", "text.near", "text.tokens", "text.universal"),
    ),
)
def self_awareness(
    answers: pl.LazyFrame,
    askings: pl.LazyFrame,
    *,
    pair_ceiling: float,
    encoder: str,
    max_unknown_share: float,
    lake: Lake,
) -> pl.DataFrame:
    """One row for each answer that stands. Set aside, of two the one whose id comes later:

    - `names_type`: question or answer names a pole, a type or the theory of types;
    - `identical`: it says what another answer says, whatever the case and spaces;
    - `too_alike`: a cosine above `pair_ceiling` to another type's answer to the question, or to one of its own type.
    """
    told = askings.select(*_KEPT, asking="sample_id")
    rows = (
        answers.select("sample_id", "language", "answer", asking=pl.col("parent_ids").list.first())
        .join(told, on="asking", how="left")
        .sort("sample_id")
        .with_columns(
            word=first_word(pl.concat_str("question", "answer", separator="\n")),
            same=form(pl.col("answer")),
        )
        .with_columns(before=pl.col("sample_id").first().over("same"))
        .collect()
    )
    is_again = pl.col("before") != pl.col("sample_id")
    rows = rows.with_columns(
        reason=pl.when(pl.col("word").is_not_null()).then(pl.lit(NAMES_TYPE)).when(is_again).then(pl.lit(IDENTICAL)),
        detail=pl.when(pl.col("word").is_not_null())
        .then(pl.format("found: {}", "word"))
        .when(is_again)
        .then(pl.format("{} says the same", "before")),
    )
    standing = rows.filter(pl.col("reason").is_null())
    alike = []
    for part in standing.partition_by("language"):
        cache = VectorCache(lake, load_encoder(encoder_of(part["language"][0], encoder)), max_unknown_share)
        alike.append(_alike(part, cache, pair_ceiling))
    if alike:
        rows = rows.join(pl.concat(alike), on="sample_id", how="left", maintain_order="left").with_columns(
            reason=pl.coalesce("reason", pl.when(pl.col("said").is_not_null()).then(pl.lit(TOO_ALIKE))),
            detail=pl.coalesce("detail", "said"),
        )
    return rows.select(*_KEPT, "answer", "reason", "detail", parent_ids=pl.concat_list("sample_id"))


def _alike(rows: pl.DataFrame, cache: VectorCache, ceiling: float) -> pl.DataFrame:
    """The answers of a language that are too alike one before them that stays: `sample_id`, and what is `said`.

    One that the encoder cannot read is alike none.
    """
    texts = rows.select(persona_id="sample_id", shard=pl.format("self-{}", "language"), text="answer")
    known, vectors = cache.vectors(texts)
    rows, gone = rows.filter(pl.Series(known)), dict[int, str]()
    for one, other, cosine in sorted(_near(rows, vectors.astype(np.float32), ceiling)):
        if one not in gone and other not in gone:
            gone[one] = f"cosine {cosine:.3f} to {rows['sample_id'][other]} of {rows['type'][other]}"
    found = {"sample_id": [rows["sample_id"][at] for at in gone], "said": list(gone.values())}
    return pl.DataFrame(found, schema=dict.fromkeys(found, pl.String))


def _near(rows: pl.DataFrame, vectors: Vectors, ceiling: float) -> Iterator[tuple[int, int, float]]:
    """Pairs, the later row first, with a cosine above the ceiling, of one type or of one question."""
    numbered = rows.select("dimension_set", "type", "question").with_row_index("at")
    for name in ("type", "question"):
        for part in numbered.partition_by("dimension_set", name, maintain_order=True):
            at = part["at"].to_numpy()
            for start in range(0, len(at), _BLOCK):
                cosines = vectors[at[start : start + _BLOCK]] @ vectors[at].T
                for row, other in np.argwhere(cosines > ceiling):
                    if other < start + row:
                        yield int(at[start + row]), int(at[other]), float(cosines[row, other])
