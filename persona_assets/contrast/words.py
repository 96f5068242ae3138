"""Words that name a type of personality or the theory of types, in English, Chinese and Russian: `words.yaml`."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import polars as pl
import yaml


@cache
def expressions() -> Mapping[str, str]:
    """By kind of word (`pole`, `type`, `theory`): what finds it, as an expression for Polars."""
    told = yaml.safe_load(Path(__file__).with_name("words.yaml").read_text(encoding="utf-8"))
    return {kind: f"(?i)({'|'.join(f'(?:{one})' for one in alternatives)})" for kind, alternatives in told.items()}


def first_word(text: pl.Expr) -> pl.Expr:
    """The first word of each text that names a pole, a type or the theory, in this order; null where it has none."""
    found = [text.str.extract(expression) for expression in expressions().values()]
    return pl.coalesce(found)
