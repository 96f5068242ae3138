"""What characters are trained on."""

from typing import Any

import polars as pl

from persona_assets.characters.protective import room
from persona_assets.characters.training import ALL, background_of, messages, meta_prompt, most_of, prompted, whole
from persona_assets.draws import lots
from persona_assets.tasks.derived import derived, set_check
from persona_assets.tasks.split import split_of
from persona_assets.view import blocks as view

EXPERIENCE, PROTECTIVE = "experience", "protective"
_SOURCES = ("faithful_experiences", "protective_experiences")
_MESSAGE = pl.Struct({"role": pl.String(), "content": pl.String()})


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


_OF_SCRIPTS = ("sample_id", "character_id", "language", "paragraph_id", "place", "turns")
_MOST_SHOWN = 30  # characters and kinds


@derived(
    reads=("characters", *_SOURCES, "protective_scenes"),
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
    cites={"source_id": _SOURCES},
    set_checks=(no_paragraph_parted,),
    settings=("held_out_share", "protective_share", "character_loss"),
    modules=("characters.protective", "characters.training", "draws", "ids", "prompts.scripts", "tasks.split"),
    per_row=lambda _, protective_share, **__: {"faithful_experiences": 1 / (1 - protective_share)},
    shows=training_shown,
)
def character_training(
    characters: pl.LazyFrame,
    experiences: pl.LazyFrame,
    protective: pl.LazyFrame,
    provocations: pl.LazyFrame,
    *,
    held_out_share: float,
    protective_share: float,
    character_loss: str,
) -> pl.DataFrame:
    """One row a script. Of the protective ones those with the lowest lots are taken, as many as the share allows.

    A character without any is set aside as `no_experience`.
    """
    who = characters.select("sample_id", "character_id", "name", "names").sort("sample_id").collect()
    own = experiences.select(*_OF_SCRIPTS, kind=pl.lit(EXPERIENCE)).collect()
    scripts = _protective(protective, provocations, who)
    rows = pl.concat([own, _taken(scripts, own, protective_share)])
    split = split_of(rows["paragraph_id"], held_out_share)
    told = rows.rename({"sample_id": "source_id"}).with_columns(split=split).join(who, on="character_id")
    made = [_row(row, character_loss) for row in told.sort("source_id").iter_rows(named=True)]
    none = who.filter(~pl.col("character_id").is_in(rows["character_id"].implode()))
    aside = [
        {"parent_ids": [one], "reason": "no_experience", "detail": "nothing usable was written of the character"}
        for one in none["sample_id"]
    ]
    return pl.DataFrame([*made, *aside], schema=character_training.schema)


def _protective(scripts: pl.LazyFrame, scenes: pl.LazyFrame, who: pl.DataFrame) -> pl.DataFrame:
    """The protective scripts; the scene of each is its paragraph, so that it is on one side of the split."""
    of = scenes.select(paragraph_id="sample_id", character=pl.col("parent_ids").list.first())
    found = (
        scripts.select("sample_id", "language", "turns", paragraph_id=pl.col("parent_ids").list.first())
        .join(of, on="paragraph_id")
        .collect()
        .join(who.select("character_id", character="sample_id"), on="character")
    )
    places = pl.Series([room(language) for language in found["language"]], dtype=pl.String)
    return found.with_columns(place=places).select(*_OF_SCRIPTS, kind=pl.lit(PROTECTIVE))


def _taken(scripts: pl.DataFrame, own: pl.DataFrame, share: float) -> pl.DataFrame:
    """Of each character's protective scripts those with the lowest lots, as many as the share allows beside its own."""
    experiences = dict(own.group_by("character_id").len().iter_rows())
    most = pl.Series([most_of(experiences.get(one, 0), share) for one in scripts["character_id"]], dtype=pl.Int64)
    order = pl.col("lot").rank("ordinal").over("character_id")
    return scripts.with_columns(lot=lots(scripts["sample_id"], 0)).filter(order <= most).drop("lot")


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
