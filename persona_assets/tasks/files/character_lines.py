"""Lines of characters that a judge looks at, and the experiences that nothing speaks against."""

import polars as pl

from persona_assets.characters.evidence import evidence_for
from persona_assets.draws import lots
from persona_assets.lake import Lake
from persona_assets.prompts.scripts import BACKGROUND
from persona_assets.tasks.derived import derived

CONTRADICTED = "contradicted"
LINES = 7  # of a character in a script, which has 13 turns on average (Character-LLM)
_TURN = pl.Struct({"speaker": pl.String(), "action": pl.String(), "text": pl.String()})
_LOTS = 16**32  # that there are
_OF_SCENES = ("character_id", "name", "date", "paragraph_id")


@derived(
    reads=("experiences", "distinct_scenes", "statements"),
    columns={
        "character_id": pl.String,
        "name": pl.String,
        "date": pl.String,
        "turn": pl.Int64,
        "action": pl.String,
        "text": pl.String,
        "before": pl.String,
        "evidence_ids": pl.List(pl.String),
    },
    description="Lines that a character says or thinks, drawn as a sample, each with the statements that matter to it.",
    cites={"evidence_ids": "statements"},
    nullable=("date", "before"),
    settings=("lines_judged", "encoder"),
    given=("lake",),
    per_row=lambda _, lines_judged, **__: LINES * lines_judged,
    modules=(
        *("characters.dates", "characters.evidence", "draws", "ids", "lake.vectors", "prompts.scripts"),
        *("text.bert", "text.encoder", "text.fast_encoder", "text.tokens", "text.universal"),
    ),
)
def character_lines(
    experiences: pl.LazyFrame,
    scenes: pl.LazyFrame,
    statements: pl.LazyFrame,
    *,
    lines_judged: float,
    encoder: str,
    lake: Lake,
) -> pl.DataFrame:
    """One row a line; `turn` counts from 1 in the script, `before` is what was said to the character last.

    Experiences of which no line is drawn are set aside as `not_selected`. Statements on which the scene rests come
    first, then those nearest in meaning.
    """
    found = _told(experiences, scenes).collect()
    lines = _lines(found)
    drawn = lots(pl.select(pl.format("{}/{}", lines["sample_id"], lines["turn"])).to_series(), 0)
    share = pl.Series([int(lot, 16) / _LOTS for lot in drawn], dtype=pl.Float64)
    chosen = lines.filter(share < lines_judged).with_columns(id=pl.format("{}:{}", "sample_id", "turn"))
    own = statements.select("sample_id", "shard", "character_id", "text", "start", "date").collect()
    asked = chosen.select("id", "shard", "language", "character_id", "text", "date", cited="statement_ids")
    near = evidence_for(asked, own, lake, encoder).select("id", evidence_ids="statement_ids")
    rows = chosen.join(near, on="id", maintain_order="left").select(
        *("character_id", "name", "date", "turn", "action", "text", "before", "evidence_ids"),
        parent_ids=pl.concat_list("sample_id"),
    )
    left = found.filter(~pl.col("sample_id").is_in(chosen["sample_id"].implode())).select(
        parent_ids=pl.concat_list("sample_id"), reason=pl.lit("not_selected"), detail=pl.lit("no line of it is drawn")
    )
    return pl.concat([rows, left], how="diagonal")


def _told(experiences: pl.LazyFrame, scenes: pl.LazyFrame) -> pl.LazyFrame:
    """Experiences with what their scenes say of the character."""
    of = scenes.select(*_OF_SCENES, "names", "statement_ids", "place", "kind", scene_id="sample_id")
    rows = experiences.select("sample_id", "shard", "language", "turns", scene_id=pl.col("parent_ids").list.first())
    return rows.join(of, on="scene_id").sort("sample_id")


def _lines(found: pl.DataFrame) -> pl.DataFrame:
    """The lines of the characters, each with the last words that another one spoke before it."""
    turns = (
        found.with_columns(turn=pl.int_ranges(1, pl.col("turns").list.len() + 1))
        .explode("turns", "turn")
        .unnest("turns")
        .filter(pl.col("action") != BACKGROUND)
        .with_columns(
            own=pl.col("names")
            .list.eval(pl.element().str.to_lowercase())
            .list.contains(pl.col("speaker").str.to_lowercase())
        )
    )
    others = pl.when(~pl.col("own")).then(pl.format("{}: {}", "speaker", "text"))
    before = others.forward_fill().over("sample_id", order_by="turn")
    return turns.with_columns(before=before).filter("own").select(pl.exclude("own", "speaker"))


@derived(
    reads=("experiences", "distinct_scenes", "line_claims", "character_lines", "statements"),
    columns={
        **dict.fromkeys((*_OF_SCENES, "place", "kind"), pl.String),
        "names": pl.List(pl.String),
        "turns": pl.List(_TURN),
        "claim_ids": pl.List(pl.String),
    },
    description="Experiences in which no line that was judged contradicts a statement (after APC).",
    cites={"claim_ids": "line_claims"},
    nullable=("date",),
)
def faithful_experiences(
    experiences: pl.LazyFrame,
    scenes: pl.LazyFrame,
    claims: pl.LazyFrame,
    lines: pl.LazyFrame,
    statements: pl.LazyFrame,
) -> pl.DataFrame:
    """One row an experience, with the claims that were judged; a contradicted one names turn, claim and statement."""
    of_lines = lines.select("turn", line_id="sample_id", experience=pl.col("parent_ids").list.first())
    told = (
        claims.select(
            "sample_id",
            "claim",
            "verdict",
            statement=pl.col("rests_on").list.first(),
            line_id=pl.col("parent_ids").list.first(),
        )
        .join(of_lines, on="line_id")
        .join(statements.select("text", statement="sample_id"), on="statement", how="left")
        .sort("experience", "turn", "sample_id")
        .collect()
    )
    against = told.filter(pl.col("verdict") == CONTRADICTED).group_by("experience", maintain_order=True).first()
    said = against.select(
        sample_id="experience",
        reason=pl.lit(CONTRADICTED),
        detail=pl.format("turn {}: {} contradicts {}: {}", "turn", "claim", "statement", "text"),
    )
    judged = told.group_by("experience", maintain_order=True).agg(claim_ids="sample_id")
    none = pl.lit([], pl.List(pl.String))
    return (
        _told(experiences, scenes)
        .collect()
        .join(judged, left_on="sample_id", right_on="experience", how="left", maintain_order="left")
        .join(said, on="sample_id", how="left", maintain_order="left")
        .select(
            *(*_OF_SCENES, "place", "kind", "names", "turns", "reason", "detail"),
            parent_ids=pl.concat_list("sample_id"),
            claim_ids=pl.col("claim_ids").fill_null(none),
        )
    )
