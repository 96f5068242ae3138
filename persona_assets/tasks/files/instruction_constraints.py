"""What an answer to an instruction is held to: one to three constraints that a program can verify."""

import polars as pl

from persona_assets.constraints.constraint import to_json
from persona_assets.constraints.draw import draw
from persona_assets.constraints.kinds import kinds_digest
from persona_assets.constraints.words import LANGUAGES
from persona_assets.tasks.derived import derived

_DRAWN = pl.Struct({"constraints": pl.String, "stated": pl.List(pl.String)})


@derived(
    reads="instructions",
    columns={"instruction": pl.String, "constraints": pl.String, "stated": pl.List(pl.String)},
    description="Constraints that go with an instruction, drawn by its id, and the sentences that state them.",
    modules=("constraints.constraint", "constraints.draw", "constraints.kinds", "constraints.words"),
    packaged={"constraints": kinds_digest},
)
def instruction_constraints(instructions: pl.LazyFrame) -> pl.DataFrame:
    """One row an instruction; those in a language without wordings are set aside as `no_wordings`."""
    rows = instructions.select("sample_id", "language", "instruction").collect()
    drawn = [_drawn(*row) for row in rows.select("sample_id", "language").iter_rows()]
    return rows.with_columns(pl.Series("drawn", drawn, dtype=_DRAWN)).select(
        pl.concat_list("sample_id").alias("parent_ids"),
        "instruction",
        pl.col("drawn").struct.unnest(),
        reason=pl.when(~pl.col("language").is_in(LANGUAGES)).then(pl.lit("no_wordings")),
        detail=pl.format("constraints are worded in {}, not in {}", pl.lit(", ".join(LANGUAGES)), "language"),
    )


def _drawn(sample_id: str, language: str) -> dict[str, object]:
    constraints = draw(sample_id, language) if language in LANGUAGES else ()
    return {"constraints": to_json(constraints), "stated": [one.text for one in constraints]}
