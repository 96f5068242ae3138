"""Words that name a type of personality or the theory of types, in English, Chinese and Russian.

They are patterns of rules (`rules/data`). All languages are looked for in every text.
"""

import polars as pl

from persona_assets.rules.patterns import expressions

KINDS = {"pole": "names_pole", "type": "names_type", "theory": "names_theory"}  # of words, and their patterns


def first_word(text: pl.Expr) -> pl.Expr:
    """The first word of each text that names a pole, a type or the theory, in this order; null where it has none."""
    return pl.coalesce(text.str.extract(f"({one})") for name in KINDS.values() for one in expressions(name))


def has_word(text: pl.Expr, kind: str) -> pl.Expr:
    """Whether each text has a word of a kind of `KINDS`."""
    return pl.any_horizontal(text.str.contains(one) for one in expressions(KINDS[kind]))
