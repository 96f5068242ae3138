"""The instructions that poles are asked with: what stands in seed files, without what cannot serve."""

import json
from typing import Any

import polars as pl

from persona_assets.ids import digest
from persona_assets.rules.manner import not_about_the_model
from persona_assets.rules.sample import Sample
from persona_assets.rules.sample_texts import no_missing_file
from persona_assets.tasks.derived import data_files, derived
from persona_assets.text.language import told_language
from persona_assets.text.near import form, nearest_kept

NEAR = 0.8  # of the words of both: an instruction with one word exchanged, or with its words in another order
_TEXTS = ("instruction", "input", "messages", "conversations", "kind")
_WRONG_FORM = "it has neither `instruction` nor `messages` with a question of a user"
_WHY = {"reason": pl.String, "detail": pl.String}
_Why = tuple[str | None, str | None]


@derived(
    reads=data_files("seeds/*", table="seed_files", texts=_TEXTS),
    columns={"instruction": pl.String, "language": pl.String, "kind": pl.String, "digest": pl.String},
    description="The instructions of a seed file that each pole of a dimension is asked with (Machine Mindset).",
    nullable=("kind",),
    modules=(
        *("contrast.words", "rules.contact", "rules.identifiers", "rules.manner", "rules.patterns", "rules.registry"),
        *("rules.sample", "rules.sample_texts", "rules.texts", "text.language", "text.near", "text.tokens"),
    ),
)
def instruction_seeds(files: pl.LazyFrame) -> pl.DataFrame:
    """One row for each instruction of a file: in Alpaca form (`instruction`, `input`), or the first question of a chat.

    `digest` is that of its text, whatever the case and spaces. Set aside: `wrong_form` (neither form), `empty`,
    `repeated` (of one before it), `about_the_model`, `needs_input` (of a text or file that is not there) and
    `near_duplicate` (of one that stays).
    """
    there = files.collect_schema().names()
    columns = [pl.col(name) if name in there else pl.lit(None, pl.String()).alias(name) for name in _TEXTS]
    rows = files.select("row_id", "place", "file", *columns).sort("place").collect()
    texts = _asked(rows)
    whys = pl.DataFrame([_fault(text) for text in texts], schema=_WHY, orient="row")
    rows = rows.select("row_id", "place", "file", "kind", texts.str.strip_chars().alias("instruction")).hstack(whys)
    rows = rows.with_columns(same=form(pl.col("instruction")))
    rows = _without_near(_without_repeats(rows))
    return rows.select(
        *("instruction", "kind", "reason"),
        parent_ids=pl.concat_list("row_id"),
        language=pl.Series(told_language(rows["instruction"].fill_null("").to_list()), dtype=pl.String),
        digest=pl.Series([digest(text.encode()) for text in rows["same"]], dtype=pl.String),
        detail=pl.format("{}, row {}: {}", "file", pl.col("place") + 1, "detail"),
    )


def _asked(rows: pl.DataFrame) -> pl.Series:
    """What each row asks, with what it is about; null where it asks nothing."""
    chats = rows.select(pl.coalesce("messages", "conversations")).to_series()
    questions = pl.Series([_first_question(chat) for chat in chats], dtype=pl.String)
    has_input = pl.col("input").str.contains(r"\S").fill_null(value=False)
    whole = pl.when(has_input).then(pl.format("{}\n\n{}", "instruction", "input")).otherwise("instruction")
    return rows.select(pl.coalesce(whole, questions)).to_series()


def _first_question(chat: str | None) -> str | None:
    """The first message of a user, in either form of chats."""
    try:
        messages: Any = json.loads(chat or "null")
    except ValueError:
        return None
    for one in messages if isinstance(messages, list) else ():
        if isinstance(one, dict) and one.get("role", one.get("from")) in ("user", "human"):
            text = one.get("content", one.get("value"))
            return text if isinstance(text, str) else None
    return None


def _fault(text: str | None) -> _Why:
    """Why an instruction cannot serve, by itself alone."""
    if text is None:
        return "wrong_form", _WRONG_FORM
    if not text.strip():
        return "empty", "its instruction is empty"
    sample = Sample({"text": text}, "", "")
    if said := not_about_the_model(sample, "text"):
        return "about_the_model", said
    if said := no_missing_file(sample, "text"):
        return "needs_input", said
    if text.rstrip().endswith((":", "：")):
        return "needs_input", "it ends with a colon, and nothing follows"
    return None, None


def _without_repeats(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows, with why for those that say what one before them says."""
    first = pl.col("place").first().over("same")
    is_repeated = (pl.col("same") != "") & (first < pl.col("place"))
    return _set_aside(rows, is_repeated, "repeated", pl.format("it says what row {} says", first + 1))


def _without_near(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows, with why for near-copies of rows that stay."""
    standing = rows.filter(pl.col("reason").is_null()).select("place", "row_id", "instruction")
    near = nearest_kept(standing["instruction"], NEAR)
    kept = standing[near["other"]].select(kept_place="place", kept_id="row_id")
    found = standing[near["row"]].select("place").hstack(kept).with_columns(near["similarity"])
    told = pl.format(
        "{} of the words are those of row {}, {}", pl.col("similarity").round(2), pl.col("kept_place") + 1, "kept_id"
    )
    joined = rows.join(found, on="place", how="left", maintain_order="left")
    return _set_aside(joined, pl.col("kept_id").is_not_null(), "near_duplicate", told)


def _set_aside(rows: pl.DataFrame, where: pl.Expr, reason: str, detail: pl.Expr) -> pl.DataFrame:
    return rows.with_columns(
        reason=pl.when(where).then(pl.lit(reason)).otherwise("reason"),
        detail=pl.when(where).then(detail).otherwise("detail"),
    )
