import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from persona_assets.ids import digest
from persona_assets.lake import Lake, verified
from persona_assets.lake import vectors as embeddings
from persona_assets.lake.vectors import VectorCache
from persona_assets.text.encoder import Encoder, load_encoder

TEXTS = ["A nurse who sings.", "热爱烘焙的退休教师, a retired schoolteacher", "A baker.", ""]


class Counting(Encoder):
    """The packaged encoder, with what it was asked to encode."""

    def __init__(self) -> None:
        real = load_encoder()
        super().__init__(real.name, real.revision, real._source)
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> np.ndarray:
        self.asked.extend(texts)
        return load_encoder().encode(texts, progress)


@pytest.fixture
def encoder() -> Counting:
    return Counting()


def personas() -> pl.DataFrame:
    shards = ["a.0000", "b.0000", "a.0000", "b.0000"]
    return pl.DataFrame({"persona_id": ["p1", "p2", "p3", "p4"], "shard": shards, "text": TEXTS})


def ids(cache: VectorCache, shard: str) -> list[str]:
    return sorted(row for part in cache.scan(shard) for row in part.drop_nulls("vector")["persona_id"])


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
    assert len(cache.parts("a.0000")) == 2
    assert ids(cache, "a.0000") == ["p1", "p3"]


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
    assert VectorCache(lake, encoder, 0.2).root != VectorCache(lake, other, 0.2).root


def many(count: int) -> pl.DataFrame:
    texts = [f"A baker who sells {number} loaves." for number in range(count)]
    return pl.DataFrame({"persona_id": [f"p{n:03}" for n in range(count)], "shard": "a.0000", "text": texts})


def test_a_part_is_written_every_few_texts_and_progress_adds_up(
    tmp_path: Path, encoder: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "PART_TEXTS", 4)
    cache, heard = VectorCache(Lake(tmp_path), encoder, 0.2), []
    cache.vectors(many(10), heard.append)
    assert len(cache.parts("a.0000")) == 3
    assert sum(heard) == 10
    heard.clear()
    cache.vectors(many(10), heard.append)
    assert sum(heard) == 10


def test_a_crash_loses_only_the_part_at_work(
    tmp_path: Path, encoder: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "PART_TEXTS", 4)
    cache = VectorCache(Lake(tmp_path), encoder, 0.2)

    def stop(done: int) -> None:
        if len(encoder.asked) > 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.vectors(many(12), stop)
    encoder.asked.clear()
    cache.vectors(many(12))
    assert encoder.asked == many(12)["text"].to_list()[8:]


def test_many_parts_are_merged_and_nothing_is_lost(
    tmp_path: Path, encoder: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "PART_TEXTS", 2)
    monkeypatch.setattr(embeddings, "MANY_PARTS", 4)
    cache = VectorCache(Lake(tmp_path), encoder, 0.2)
    rows = many(9).with_columns(text=pl.when(pl.col("persona_id") < "p003").then(pl.lit(TEXTS[1])).otherwise("text"))
    before = VectorCache(Lake(tmp_path / "alone"), encoder, 0.2).vectors(rows)
    after = cache.vectors(rows)
    assert len(cache.parts("a.0000")) == 1
    assert not list((tmp_path / "_tmp").iterdir())
    np.testing.assert_array_equal(before[0], after[0])
    np.testing.assert_allclose(before[1], after[1], atol=1e-3)
    assert ids(cache, "a.0000") == rows["persona_id"].to_list()[3:]


def test_a_merge_keeps_a_vector_rather_than_its_absence(
    tmp_path: Path, encoder: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "MANY_PARTS", 1)
    rows = personas().filter(pl.col("persona_id") == "p2")
    VectorCache(Lake(tmp_path), encoder, 0.2).vectors(rows)
    cache = VectorCache(Lake(tmp_path), encoder, 0.9)
    assert cache.vectors(rows)[0].tolist() == [True]
    assert len(cache.parts("b.0000")) == 1
    assert ids(cache, "b.0000") == ["p2"]


def test_a_reader_follows_parts_that_are_merged_while_it_reads(
    tmp_path: Path, encoder: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "PART_TEXTS", 2)
    cache = VectorCache(Lake(tmp_path), encoder, 0.2)
    cache.vectors(many(8))
    reader = cache.scan("a.0000")
    found = next(reader)["persona_id"].to_list()
    cache._merge("a.0000")
    found += [row for part in reader for row in part["persona_id"]]
    assert sorted(set(found)) == many(8)["persona_id"].to_list()


def test_a_scan_tells_what_is_settled_and_what_waits(tmp_path: Path, encoder: Counting) -> None:
    VectorCache(Lake(tmp_path), encoder, 0.2).vectors(personas())
    for most, settled in ((0.2, True), (0.99, False)):  # of a persona that the encoder did not know at 0.2
        [part] = VectorCache(Lake(tmp_path), encoder, most).scan("b.0000")
        assert part.filter(persona_id="p2")["settled"].to_list() == [settled]
    part = next(VectorCache(Lake(tmp_path), encoder, 0.2).scan("a.0000"))
    assert part.schema["vector"] == pl.Array(pl.Float16, encoder.dimension)
    assert list(VectorCache(Lake(tmp_path), encoder, 0.2).scan("none.0000")) == []


def _part(cache: VectorCache, shard: str = "a.0000") -> Path:
    [path] = cache.parts(shard)
    return Path(path)


def _flattened(path: Path) -> None:
    """All vectors of a part as the first one, under its old name."""
    rows = pl.read_parquet(path)
    vectors = pl.Series([rows["vector"][0].to_list()] * rows.height, dtype=rows.schema["vector"])
    rows.with_columns(vector=vectors).write_parquet(path)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.write_bytes(b""), id="emptied"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-9]), id="cut"),
        pytest.param(_flattened, id="changed"),
    ],
)
def test_a_damaged_part_is_named_and_its_texts_are_encoded_again(
    tmp_path: Path, encoder: Counting, damage: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    cache = VectorCache(Lake(tmp_path), encoder, 0.2)
    before = cache.vectors(personas())
    path = _part(cache)
    damage(path)
    encoder.asked.clear()
    after = VectorCache(Lake(tmp_path), encoder, 0.2).vectors(personas())
    assert (after[1] == before[1]).all()
    assert encoder.asked == [TEXTS[0], TEXTS[2]]
    assert f"{path} was removed: its bytes do not fit its name" in caplog.text


def test_a_part_of_another_model_is_removed(
    tmp_path: Path, encoder: Counting, caplog: pytest.LogCaptureFixture
) -> None:
    cache = VectorCache(Lake(tmp_path), encoder, 0.2)
    rows = pl.DataFrame(
        {"persona_id": ["p1"], "unknown_share": [0.0], "vector": pl.Series([[1.0, 2.0]], dtype=pl.Array(pl.Float16, 2))}
    )
    data = io.BytesIO()
    rows.write_parquet(data)
    path = f"{cache.root}/shard=a.0000/part-{digest(data.getvalue())}.parquet"
    cache.lake.write_bytes(path, data.getvalue())
    assert cache.vectors(personas().head(1))[1].shape == (1, encoder.dimension)
    assert f"{path} was removed: its vectors are of another model" in caplog.text


def test_a_part_is_verified_once_per_process(
    tmp_path: Path, encoder: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    real = verified.file_digest
    monkeypatch.setattr(verified, "file_digest", lambda fs, path: hashed.append(path) or real(fs, path))
    for _ in range(2):
        VectorCache(Lake(tmp_path), encoder, 0.2).vectors(personas().head(1))
    assert len(hashed) == 1
