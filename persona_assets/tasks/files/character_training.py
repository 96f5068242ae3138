"""What characters are trained on."""

from typing import Any

import polars as pl

from persona_assets.characters.training import ALL, background_of, messages, meta_prompt, prompted, whole
from persona_assets.tasks.derived import derived, set_check
from persona_assets.tasks.split import split_of
from persona_assets.view import blocks as view

EXPERIENCE, PROTECTIVE = "experience", "protective"
_MESSAGE = pl.Struct({"role": pl.String(), "content": pl.String()})
_SOURCES = ("faithful_experiences", "protective_experiences")


@set_check(description="All that comes from one paragraph of a profile is on one side of the split.")
def no_paragraph_parted(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows whose paragraph has rows on both sides."""
    return rows.filter(pl.col("split").n_unique().over("paragraph_id") > 1)


def training_shown(rows: pl.DataFrame) -> list[view.Block]:
    """What there is to look at: rows by character, kind and split, and how long the scripts are."""
    heads = [*view.whole("character", "kind"), *view.right("train", "held out", "turns", "words"), *view.whole("")]
    told = rows.with_columns(words=pl.col("output").str.count_matches(r"[\p{Han}]|[^\W\p{Han}]+"))
    by = (
        told.group_by("name", "kind")
        .agg(
            train=(pl.col("split") == "train").sum(),
            held_out=(pl.col("split") != "train").sum(),
            turns=pl.col("turns").mean(),
            words=pl.col("words").mean(),
        )
        .sort("name", "kind")
        .head(_MOST_SHOWN)
    )
    most = max(by["words"].max() or 1, 1)
    drawn = [
        [
            row["name"],
            row["kind"],
            *(f"{row[column]:,}" for column in ("train", "held_out")),
            *(f"{row[column]:,.1f}" for column in ("turns", "words")),
            view.bar(1, (view.PLAIN, row["words"] / most)),
        ]
        for row in by.iter_rows(named=True)
    ]
    return [view.Table(heads, drawn)]


_MOST_SHOWN = 30  # characters and kinds


@derived(
    reads=("characters", "faithful_experiences"),
    columns={
        "source_id": pl.String,
        "character_id": pl.String,
        "name": pl.String,
        "kind": pl.String,
        "paragraph_id": pl.String,
        "split": pl.String,
        "turns": pl.Int64,
        "loss": pl.String,
        "prompt": pl.String,
        "output": pl.String,
        "messages": pl.List(_MESSAGE),
    },
    description="What characters are trained on: scripts under a prompt that says who, where and when (Character-LLM, "
    "4.3).",
    cites={"source_id": "faithful_experiences"},
    set_checks=(no_paragraph_parted,),
    settings=("held_out_share", "protective_share", "character_loss"),
    modules=("characters.training", "draws", "ids", "prompts.scripts", "tasks.split"),
    shows=training_shown,
)
def character_training(
    characters: pl.LazyFrame,
    experiences: pl.LazyFrame,
    *,
    held_out_share: float,
    protective_share: float,
    character_loss: str,
) -> pl.DataFrame:
    """One row a script. Of the protective ones those with the lowest lots are taken, as many as the share allows.

    A character without any is set aside as `no_experience`.
    """
    own = experiences.select(
        *("sample_id", "character_id", "language", "paragraph_id", "place", "turns"), kind=pl.lit(EXPERIENCE)
    ).collect()
    rows = own
    who = characters.select("sample_id", "character_id", "name", "names").sort("sample_id").collect()
    split = split_of(rows["paragraph_id"], held_out_share)
    told = rows.rename({"sample_id": "source_id"}).with_columns(split=split).join(who, on="character_id")
    made = [_row(row, character_loss) for row in told.sort("source_id").iter_rows(named=True)]
    none = who.filter(~pl.col("character_id").is_in(rows["character_id"].implode()))
    aside = [
        {"parent_ids": [one], "reason": "no_experience", "detail": "nothing usable was written of the character"}
        for one in none["sample_id"]
    ]
    return pl.DataFrame([*made, *aside], schema=_SCHEMA)


def _row(row: dict[str, Any], loss: str) -> dict[str, Any]:
    language, turns = row["language"], row["turns"]
    prompt = meta_prompt(row["name"], row["place"], background_of(turns), language)
    talk = (
        whole(turns, prompt, language) if loss == ALL else messages(row["name"], row["names"], turns, prompt, language)
    )
    spoken = sum(one["action"] != "background" for one in turns)
    return {
        "parent_ids": [row["sample_id"]],
        **{name: row[name] for name in ("source_id", "character_id", "name", "kind", "paragraph_id", "split")},
        "turns": spoken,
        "loss": loss,
        "prompt": prompt,
        "output": prompted(turns),
        "messages": talk,
    }


_SCHEMA = {
    "parent_ids": pl.List(pl.String()),
    **{name: kind() if isinstance(kind, type) else kind for name, kind in character_training.columns.items()},
    "reason": pl.String(),
    "detail": pl.String(),
}
