"""Word tokens for comparing short texts: NFKC, lower case, words; scripts without spaces by character.

The tokenising runs in Polars' regex engine, so a column of a million personas takes seconds, and one text
goes through the same code as a column.
"""

import polars as pl

# Scripts that put no space between words: there a token is one letter with the marks that follow it.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}"
_LETTER = rf"[[{_UNSPACED}]&&[\p{{L}}\p{{N}}]]\p{{M}}*"
_WORD = rf"[[\p{{L}}\p{{M}}\p{{N}}]--[{_UNSPACED}]]+"
_TOKEN = rf"{_LETTER}|{_WORD}"


def word_tokens(text: str) -> list[str]:
    """The tokens of one text, in order, repeats kept; punctuation, symbols and emoji are not tokens."""
    return token_lists(pl.Series([text], dtype=pl.String))[0].to_list()  # type: ignore[no-any-return]


def token_lists(texts: pl.Series) -> pl.Series:
    """The tokens of each text: strings of shape (n,) to lists of strings (n,); null counts as empty."""
    return texts.to_frame("text").select(tokens_of(pl.col("text").cast(pl.String))).to_series()


def tokens_of(texts: pl.Expr) -> pl.Expr:
    """The same as an expression."""
    return texts.fill_null("").str.normalize("NFKC").str.to_lowercase().str.extract_all(_TOKEN)


def token_sets(texts: pl.Series) -> pl.Series:
    """The unique tokens of each text, sorted: strings of shape (n,) to lists of strings of shape (n,)."""
    return token_lists(texts).list.unique().list.sort()
