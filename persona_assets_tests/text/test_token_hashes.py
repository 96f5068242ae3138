from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.text import token_hashes as module
from persona_assets.text.token_hashes import hashed_token_sets
from persona_assets.text.tokens import word_tokens

CHARACTERS = st.sampled_from(
    [
        *"abcXYZ019 _-.,'\t\n",
        "é",
        "\u0301",
        "İ",
        "ß",
        "ﬁ",
        "教",
        "ก",
        "\u0e47",
        "Ж",
        "🙂",
        "\u00a0",
        "！",
        "Ａ",
        *"‐—‘’“”…‗′",
    ]
)
TEXTS = st.lists(st.none() | st.text(CHARACTERS, max_size=40) | st.text(max_size=12), max_size=12)
LONG = "internationalisation " * 3 + "x" * 8 + " " + "y" * 9 + " " + "z" * 16 + " " + "z" * 17


def _is_blank(text: str) -> bool:
    """As Unicode has it; Python takes the separators of ASCII for white space too."""
    return not pl.Series([text]).str.strip_chars()[0]


def hashes(texts: list[str | None]) -> list[list[int]]:
    offsets, tokens = hashed_token_sets(pl.Series(texts, dtype=pl.String))
    assert len(offsets) == len(texts) + 1
    return [tokens[a:b].tolist() for a, b in pairwise(offsets)]


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_two_texts_share_as_many_hashes_as_tokens(texts: list[str | None]) -> None:
    made = hashes(texts)
    words = [set(word_tokens(text or "")) for text in texts]
    for text, own, tokens in zip(texts, made, words, strict=True):
        assert own == sorted(set(own))
        assert len(own) == (len(tokens) if tokens else int(not _is_blank(text or "")))
    for i in range(len(texts)):
        for j in range(i):
            if words[i] and words[j]:
                assert len(set(made[i]) & set(made[j])) == len(words[i] & words[j])


@settings(max_examples=50, deadline=None)
@given(TEXTS)
def test_a_text_has_the_same_hashes_whatever_stands_beside_it(texts: list[str | None]) -> None:
    assert hashes(texts) == [hashes([text])[0] for text in texts]


@pytest.mark.parametrize("text", [LONG, "a", "UPPER lower 123", " ".join(f"w{n}" for n in range(10_000))])
def test_ascii_words_have_the_hashes_that_the_general_way_gives(text: str) -> None:
    """One letter that is not ASCII sends the text the general way, and adds one token."""
    [plain], [other] = hashes([text]), hashes([text + " ж"])
    assert set(plain) < set(other)
    assert len(other) == len(plain) + 1


def test_a_text_without_words_is_a_token_of_its_own_and_a_blank_one_has_none() -> None:
    smile, smiles, same, blank, none, word = hashes(["🙂", "🙂🙂", " 🙂 ", " \n", None, "smile"])
    assert (len(smile), blank, none) == (1, [], [])
    assert smile == same
    assert smile not in (smiles, word)


def test_slices_of_any_size_give_the_same_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [LONG, None, "ж a", "", "b", "🙂"] * 3
    whole = hashes(texts)
    monkeypatch.setattr(module, "CHUNK_ROWS", 2)
    assert hashes(texts) == whole
    monkeypatch.setattr(module, "CHUNK_BYTES", 5)
    assert hashes(texts) == whole


def test_an_empty_column_has_no_sets() -> None:
    offsets, tokens = hashed_token_sets(pl.Series([], dtype=pl.String))
    assert (offsets.tolist(), len(tokens)) == ([0], 0)


def test_different_words_have_different_hashes() -> None:
    words = [f"w{n}" for n in range(50_000)] + [f"{n}longerword{n}" for n in range(50_000)]
    _, tokens = hashed_token_sets(pl.Series(words))
    assert len(np.unique(tokens)) == len(words)
