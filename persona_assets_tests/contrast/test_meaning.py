"""Vectors of pairs: kept in a lake, and read from it."""

import numpy as np
import polars as pl
import pytest

from persona_assets.contrast.meaning import kept_vectors, pair_vectors
from persona_assets.lake import Lake
from persona_assets.text.encoder import Encoder

PAIRS = pl.DataFrame(
    [
        ("smp_1", "own", "en", "The wind blew hard through the trees.", "Hard the wind blew through the trees."),
        ("smp_2", "own", "zh", "风从树林里吹过。", "一个人在窗边看书。"),
        ("smp_3", "own", "en", "Throw a party and sing.", "Read alone by the window."),
    ],
    schema=("id", "shard", "language", "one", "other"),
    orient="row",
)


def test_answers_that_mean_the_same_are_near_and_others_are_not(lake: Lake) -> None:
    cosines = np.full(PAIRS.height, np.nan)
    for places, one, other in kept_vectors(lake, PAIRS):
        cosines[places] = np.einsum("nd,nd->n", one, other)
    assert cosines[0] > 0.95
    assert (cosines[1:] < 0.8).all()


def test_kept_vectors_are_those_of_the_encoder(lake: Lake) -> None:
    found = {tuple(places): (one, other) for places, one, other in kept_vectors(lake, PAIRS)}
    assert set(found) == {(0, 2), (1,)}
    for kept, made in zip(found[0, 2], pair_vectors(PAIRS[[0, 2]]), strict=True):
        assert kept == pytest.approx(made, abs=1e-3)


def test_what_was_read_once_is_not_read_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    first = {tuple(places): one for places, one, _ in kept_vectors(lake, PAIRS)}
    read: list[int] = []
    encode = Encoder.encode
    monkeypatch.setattr(
        Encoder, "encode", lambda self, texts, *more: read.append(len(texts)) or encode(self, texts, *more)
    )
    again = {tuple(places): one for places, one, _ in kept_vectors(lake, PAIRS)}
    assert read == []
    assert all((again[places] == one).all() for places, one in first.items())


def test_an_answer_that_the_encoder_cannot_read_has_no_vector(lake: Lake) -> None:
    pairs = PAIRS.with_columns(language=pl.lit("en"))  # whose encoder does not know Chinese
    [(places, one, other)] = kept_vectors(lake, pairs, max_unknown=0.5)
    assert places.tolist() == [0, 2]
    assert one.shape == other.shape == (2, one.shape[1])
