"""Rules of data that shows a manner: what it is asked about, and what its answers never name."""

import polars as pl

from persona_assets.contrast.words import first_word
from persona_assets.rules.patterns import pattern
from persona_assets.rules.registry import rule
from persona_assets.rules.sample import Sample

_SHOWN = 80


@rule()
def not_about_the_model(sample: Sample, field: str) -> str | None:
    """The text does not ask who or what its reader is, who made it, or how: each model answers that for itself."""
    found = pattern("about_model").search(sample.text(field))
    return f"found: {found.group(0).strip()[:_SHOWN]}" if found else None


@rule(repairs=True)
def names_no_type(sample: Sample, field: str = "") -> str | None:
    """No text names a pole, a type of personality or the theory of types: a manner is shown, not told."""
    texts = pl.Series([sample.text(field)] if field else list(sample.texts()), dtype=pl.String)
    found = texts.to_frame("text").select(first_word(pl.col("text"))).to_series().drop_nulls()
    return f"found: {found[0][:_SHOWN]}" if len(found) else None


@rule(repairs=True)
def first_person(sample: Sample, field: str) -> str | None:
    """The text speaks of its writer: it says "I", or a form of it."""
    return None if pattern("first_person").search(sample.text(field)) else "nobody speaks of themselves"


@rule(repairs=True)
def second_person(sample: Sample, field: str) -> str | None:
    """The text speaks to its reader: it says "you", or a form of it."""
    return None if pattern("second_person").search(sample.text(field)) else "nobody is spoken to"
