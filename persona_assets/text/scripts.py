"""The script that a text is written in: how languages are told apart where no other word is had on a text."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

# Latin is also the script of a text without a letter. Chinese and Japanese share Han characters; kana tell them apart.
SCRIPTS = ("Latin", "Chinese", "Japanese", "Korean", "Cyrillic", "Thai", "Arabic", "other")
FOREIGN = 0.2  # share of other letters, a Latin word counting as one letter, above which a text is not Latin
KANA = 0.1  # kana for each Han character above which these are Japanese

_LETTERS = {
    "Chinese": r"\p{Han}",
    "Japanese": r"[\p{Hiragana}\p{Katakana}]",
    "Korean": r"\p{Hangul}",
    "Cyrillic": r"\p{Cyrillic}",
    "Thai": r"\p{Thai}",
    "Arabic": r"\p{Arabic}",
    "other": r"[\p{L}--[\p{Latin}\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Cyrillic}\p{Thai}\p{Arabic}\p{Common}]]",
}
_FOREIGN_LETTER = r"[\p{L}--\p{Latin}]"
_CHINESE, _JAPANESE = 0, 1  # their columns


def scripts_of(texts: pl.Series) -> NDArray[np.uint8]:
    """The place in `SCRIPTS` of each text's script, shape (n,): a function of the text alone.

    A word in Latin letters counts as one letter: a Chinese or Russian sentence that names products or companies in them
    stays Chinese or Russian, and an English one that quotes a few characters stays Latin.
    """
    scripts = np.zeros(len(texts), np.uint8)
    foreign = np.flatnonzero(texts.str.len_bytes() != texts.str.len_chars())  # the others are ASCII
    foreign = foreign[texts.gather(foreign).str.contains(_FOREIGN_LETTER).to_numpy()]
    if not len(foreign):
        return scripts
    counted = pl.DataFrame({"text": texts.gather(foreign)}).select(
        latin=pl.col("text").str.count_matches(r"\p{Latin}[\p{Latin}\p{M}]*"),
        **{name: pl.col("text").str.count_matches(letters) for name, letters in _LETTERS.items()},
    )
    latin, *others = counted.to_numpy().astype(np.int64).T
    letters = np.stack(others, axis=1)
    total = letters.sum(axis=1)
    kana, both = letters[:, _JAPANESE], letters[:, _CHINESE] + letters[:, _JAPANESE]
    japanese = (kana > 0) & (kana >= KANA * letters[:, _CHINESE])
    letters[:, _CHINESE], letters[:, _JAPANESE] = np.where(japanese, 0, both), np.where(japanese, both, 0)
    strange = total > FOREIGN * (total + latin)
    chosen = 1 + letters.argmax(axis=1)
    scripts[foreign[strange]] = chosen[strange]
    return scripts
