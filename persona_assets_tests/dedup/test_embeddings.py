from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from persona_assets.dedup.embeddings import VectorCache
from persona_assets.lake import Lake
from persona_assets.text.encoder import Encoder, load_encoder

TEXTS = ["A nurse who sings.", "热爱烘焙的退休教师, a retired schoolteacher", "A baker.", ""]


class Counting(Encoder):
    """The packaged encoder, with what it was asked to encode."""

    def __init__(self) -> None:
        real = load_encoder()
        super().__init__(real.name, real.revision, real._source)
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.asked.extend(texts)
        return load_encoder().encode(texts)


@pytest.fixture
def encoder() -> Counting:
    return Counting()


def personas() -> pl.DataFrame:
    shards = ["a.0000", "b.0000", "a.0000", "b.0000"]
    return pl.DataFrame({"persona_id": ["p1", "p2", "p3", "p4"], "shard": shards, "text": TEXTS})


def test_vectors_come_in_order_and_only_for_known_scripts(tmp_path: Path, encoder: Counting) -> None:
    known, vectors = VectorCache(Lake(tmp_path), encoder, 0.2).vectors(personas())
    assert known.tolist() == [True, False, True, False]
    assert vectors.dtype == np.float16
    np.testing.assert_allclose(vectors, load_encoder().encode([TEXTS[0], TEXTS[2]]), atol=5e-4)


def test_no_text_is_encoded_twice(tmp_path: Path, encoder: Counting) -> None:
    first = VectorCache(Lake(tmp_path), encoder, 0.2).vectors(personas())
    again = VectorCache(Lake(tmp_path), encoder, 0.2).vectors(personas().reverse())
    assert sorted(encoder.asked) == sorted([TEXTS[0], TEXTS[2]])
    assert (first[1] == again[1][::-1]).all()


def test_new_personas_of_a_shard_are_added_to_its_vectors(tmp_path: Path, encoder: Counting) -> None:
    cache = VectorCache(Lake(tmp_path), encoder, 0.2)
    cache.vectors(personas().head(1))
    known, vectors = cache.vectors(personas())
    assert (known.sum(), len(vectors)) == (2, 2)
    assert encoder.asked == [TEXTS[0], TEXTS[2]]
    assert pl.read_parquet(cache.path("a.0000"))["persona_id"].to_list() == ["p1", "p3"]


def test_a_higher_share_encodes_what_was_left_out_before(tmp_path: Path, encoder: Counting) -> None:
    VectorCache(Lake(tmp_path), encoder, 0.2).vectors(personas())
    known, _ = VectorCache(Lake(tmp_path), encoder, 0.9).vectors(personas())
    assert known.tolist() == [True, True, True, False]
    assert encoder.asked.count(TEXTS[1]) == 1


def test_a_lower_share_leaves_out_what_is_in_the_cache(tmp_path: Path, encoder: Counting) -> None:
    VectorCache(Lake(tmp_path), encoder, 0.9).vectors(personas())
    known, vectors = VectorCache(Lake(tmp_path), encoder, 0.2).vectors(personas())
    assert known.tolist() == [True, False, True, False]
    assert len(vectors) == 2


def test_nothing_known_gives_no_vectors(tmp_path: Path, encoder: Counting) -> None:
    known, vectors = VectorCache(Lake(tmp_path), encoder, 0.2).vectors(personas()[[1, 3]])
    assert known.tolist() == [False, False]
    assert len(vectors) == 0


def test_vectors_of_another_model_are_kept_apart(tmp_path: Path, encoder: Counting) -> None:
    lake = Lake(tmp_path)
    other = Counting()
    other.revision = "f" * 64
    assert VectorCache(lake, encoder, 0.2).path("a.0000") != VectorCache(lake, other, 0.2).path("a.0000")
