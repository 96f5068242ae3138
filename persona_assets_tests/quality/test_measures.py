"""Measures of diversity, held to plain definitions and to what they have to say of extremes."""

import math
from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.quality.measures import Vendi, distinct, region_of, regions, self_bleu, similarity_at

TEXTS = st.lists(st.text("ab 好", max_size=12), min_size=2, max_size=6)
GERMAN = ["Der Hund schläft im Garten", "Die Katze jagt eine Maus", "Morgen regnet es in den Bergen"]


def unit(rows: list[list[float]]) -> np.ndarray:
    wide = np.array(rows, np.float32)
    return wide / np.linalg.norm(wide, axis=1, keepdims=True)


def by_definition(texts: list[list[str]]) -> float:
    """Self-BLEU as it is defined, pair by pair."""
    scores = []
    for number, tokens in enumerate(texts):
        others = texts[:number] + texts[number + 1 :]
        logs = []
        for n in range(1, 5):
            grams = Counter(tuple(tokens[at : at + n]) for at in range(len(tokens) - n + 1))
            if grams:
                most: Counter[tuple[str, ...]] = Counter()
                for other in others:
                    most |= Counter(tuple(other[at : at + n]) for at in range(len(other) - n + 1))
                matched = (grams & most).total()
                logs.append(math.log((matched or 0.5) / grams.total()))
        nearest = min((abs(len(one) - len(tokens)), len(one)) for one in others)[1]
        brevity = math.exp(1 - nearest / len(tokens)) if nearest > len(tokens) else 1.0
        scores.append(brevity * math.exp(sum(logs) / len(logs)))
    return sum(scores) / len(scores)


@settings(max_examples=200)
@given(st.lists(st.lists(st.sampled_from("abcde"), min_size=1, max_size=9), min_size=2, max_size=6))
def test_self_bleu_is_what_its_definition_gives(texts: list[list[str]]) -> None:
    found = self_bleu(pl.Series([" ".join(one) for one in texts]))
    assert found == pytest.approx(by_definition(texts))


def test_self_bleu_of_copies_is_one_and_of_other_words_small() -> None:
    assert self_bleu(pl.Series([GERMAN[0]] * 3)) == pytest.approx(1)
    other = self_bleu(pl.Series(GERMAN))
    assert other is not None and other < 0.2


def test_self_bleu_of_one_text_is_nothing() -> None:
    assert self_bleu(pl.Series([GERMAN[0]])) is None


def test_chinese_counts_by_characters() -> None:
    assert distinct(pl.Series(["好好好好"]), 1) == 0.25
    assert distinct(pl.Series(["春眠不觉晓"]), 2) == 1


@given(TEXTS, st.integers(1, 3))
def test_distinct_is_a_share(texts: list[str], n: int) -> None:
    found = distinct(pl.Series(texts), n)
    assert found is None or 0 < found <= 1


def test_the_vendi_score_counts_what_is_entirely_different() -> None:
    vendi = Vendi()
    vendi.add(unit([[1, 0, 0], [0, 1, 0]]))
    assert vendi.score == pytest.approx(2)
    vendi.add(unit([[1, 0, 0], [0, 1, 0]]))
    assert vendi.score == pytest.approx(2)  # copies add nothing
    vendi.add(unit([[0, 0, 1]] * 2))
    assert vendi.score == pytest.approx(3)


@given(st.lists(st.lists(st.floats(-1, 1), min_size=3, max_size=3).filter(any), min_size=1, max_size=8))
def test_the_vendi_score_is_that_of_the_matrix_of_similarities(rows: list[list[float]]) -> None:
    wide = np.array(rows, np.float64)
    norms = np.linalg.norm(wide, axis=1, keepdims=True)
    vectors = wide[norms[:, 0] > 1e-3] / norms[norms[:, 0] > 1e-3]
    vendi = Vendi()
    vendi.add(vectors)
    if not len(vectors):
        assert vendi.score is None
        return
    values = np.linalg.eigvalsh(vectors @ vectors.T / len(vectors))
    values = values[values > 1e-9]
    assert vendi.score == pytest.approx(math.exp(-np.sum(values * np.log(values))), rel=1e-3)


def test_regions_are_of_what_is_near() -> None:
    vectors = unit([[1, 0.01], [1, 0], [0, 1], [0.01, 1]])
    places = region_of(vectors, regions(vectors, 2))
    assert places[0] == places[1] != places[2] == places[3]


def test_there_are_no_more_regions_than_different_texts() -> None:
    assert len(regions(unit([[1, 0]] * 5 + [[0, 1]] * 5), 64)) == 2


def test_similarity_of_products_is_told_by_that_of_their_causes() -> None:
    causes = unit([[1, 0], [0.8, 0.6], [0, 1]])  # cosines 0.8, 0, 0.6
    products = unit([[1, 0], [1, 0], [0, 1]])
    assert similarity_at(causes, products, (0.6, 0.8, 0.9), 0.01) == [(0.6, 1, 0.0), (0.8, 1, 1.0), (0.9, 0, None)]
