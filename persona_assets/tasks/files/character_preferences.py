"""Preference data of characters: of two answers to a provocation the one in character, and that of an assistant."""

from typing import Any

import polars as pl

from persona_assets.characters.protective import first_exchange, room
from persona_assets.characters.training import background_of, meta_prompt
from persona_assets.tasks.derived import derived
from persona_assets.tasks.split import split_of

MOST_TIMES = 4.0  # as long as the other: of answers further apart a model learns length and little else


@derived(
    reads=("protective_experiences", "out_of_character_answers", "protective_scenes", "characters"),
    columns={
        "answer_id": pl.String,
        "character_id": pl.String,
        "name": pl.String,
        "kind": pl.String,
        "split": pl.String,
        "prompt": pl.String,
        "chosen": pl.String,
        "rejected": pl.String,
    },
    description="What a character answers to a provocation, chosen, over an assistant's without a role.",
    cites={"answer_id": "out_of_character_answers"},
    settings=("held_out_share",),
    modules=("characters.protective", "characters.training", "prompts.scripts", "tasks.split"),
)
def character_preferences(
    experiences: pl.LazyFrame,
    answers: pl.LazyFrame,
    scenes: pl.LazyFrame,
    characters: pl.LazyFrame,
    *,
    held_out_share: float,
) -> pl.DataFrame:
    """One row a protective experience, with its first exchange alone; the prompt says who is asked, where, and what.

    An experience is set aside as `no_other_answer` where nobody answered out of character, as `lengths_differ` where
    one answer is more than four times as long as the other. All that comes from one scene is on one side of the split.
    """
    rows = (
        experiences.select("sample_id", "language", "turns", scene=pl.col("parent_ids").list.first())
        .join(_other(answers), on="scene", how="left")
        .join(_of_scenes(scenes), on="scene")
        .join(characters.select("character_id", "name", "names", character="sample_id"), on="character")
        .sort("sample_id")
        .collect()
    )
    split = split_of(rows["scene"], held_out_share)
    return pl.DataFrame(
        [_row(row) for row in rows.with_columns(split=split).iter_rows(named=True)], schema=character_preferences.schema
    )


def _other(answers: pl.LazyFrame) -> pl.LazyFrame:
    """For each scene the answer out of character with the lowest id."""
    found = answers.select("answer", answer_id="sample_id", scene=pl.col("parent_ids").list.first())
    return found.sort("scene", "answer_id").unique("scene", keep="first", maintain_order=True)


def _of_scenes(scenes: pl.LazyFrame) -> pl.LazyFrame:
    return scenes.select("kind", scene="sample_id", character=pl.col("parent_ids").list.first())


def _row(row: dict[str, Any]) -> dict[str, Any]:
    parents = {"parent_ids": [row["sample_id"]]}
    if row["answer"] is None:
        return parents | {"reason": "no_other_answer", "detail": "no answer out of character is usable"}
    asked, chosen = first_exchange(row["turns"], [row["name"], *row["names"]])
    times = max(len(chosen), len(row["answer"])) / max(min(len(chosen), len(row["answer"])), 1)
    if times > MOST_TIMES:
        return parents | {"reason": "lengths_differ", "detail": f"{times:.2f} times as long"}
    prompt = meta_prompt(row["name"], room(row["language"]), background_of(row["turns"]), row["language"])
    return parents | {
        **{name: row[name] for name in ("answer_id", "character_id", "name", "kind", "split")},
        "prompt": f"{prompt}\n\n{asked}",
        "chosen": chosen,
        "rejected": row["answer"],
    }
