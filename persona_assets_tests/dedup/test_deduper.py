"""The Deduper on texts with vectors of our choosing, against the greedy rule over all pairs."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.dedup import lexical as lexical_module
from persona_assets.dedup.deduper import Deduper, part_rows
from persona_assets.dedup.keys import MOST_SETS, Scheme
from persona_assets.dedup.semantic import Limits
from persona_assets.dedup.strands import Semantic, Strand
from persona_assets.lake import Lake
from persona_assets.lake.vectors import VectorCache
from persona_assets.text.scripts import SCRIPTS, scripts_of
from persona_assets.text.tokens import word_tokens

LEXICAL, SEMANTIC = 0.7, 0.9
WORDS = ["a", "b", "c", "d", "e", "f", "g", "教", "жук"]
TEXTS = st.tuples(st.lists(st.sampled_from(WORDS), max_size=6), st.sampled_from(["", ".", " !", "?"])).map(
    lambda drawn: " ".join(drawn[0]) + drawn[1]
)
CLUSTERS = np.linalg.qr(np.random.default_rng(1).normal(size=(16, 16)))[0].astype(np.float32)


class Chosen:
    """An encoder whose vectors are given: each text has a cluster of its own, or one of a few, and some noise."""

    name, revision, dimension = "chosen", "1", 16

    def __init__(self, clusters: dict[str, int]) -> None:
        self.clusters = clusters
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str], progress: object = None) -> np.ndarray:
        self.encoded += texts
        vectors = np.array([self._vector(text) for text in texts], np.float32).reshape(len(texts), 16)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def _vector(self, text: str) -> np.ndarray:
        noise = np.random.default_rng(list(text.encode())).normal(size=16) * 0.07
        return CLUSTERS[self.clusters.get(text, 0)] + noise

    def unknown_share(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([float("教" in text) for text in texts], np.float32)


ALL = tuple(range(len(SCRIPTS)))
# How texts are compared: by scripts of a strand, and its least cosine across them.
TOGETHER = ((ALL,), SEMANTIC)
WAYS = [TOGETHER, ((ALL,), 0.8), ((ALL,), None), (tuple((script,) for script in ALL), None)]
Way = tuple[tuple[tuple[int, ...], ...], float | None]


def dedup(texts: Sequence[str], clusters: dict[str, int], sizes: Sequence[int], way: Way = TOGETHER) -> pl.DataFrame:
    """Verdicts on the texts, decided in parts of these sizes (the last size for the rest)."""
    ids = [f"{place:04d}" for place in range(len(texts))]
    rows = pl.DataFrame({"persona_id": ids, "shard": "s", "text": texts}, schema_overrides={"text": pl.String})
    by_id = dict(zip(ids, texts, strict=True))

    def earlier(wanted: pl.DataFrame) -> pl.Series:
        return pl.Series([by_id[one].strip() for one in wanted["persona_id"]])

    with tempfile.TemporaryDirectory() as folder:
        cache = VectorCache(Lake(f"{folder}/lake"), Chosen(clusters), 0.5)  # type: ignore[arg-type]
        strands = [Strand(scripts, cache, Limits(SEMANTIC, way[1])) for scripts in way[0]]
        deduper = Deduper(Scheme("exact", LEXICAL), Semantic(strands, earlier), Path(folder) / "segments")
        parts, start, left = [], 0, list(sizes)
        while start < len(texts) or not parts:
            size = left.pop(0) if len(left) > 1 else left[0]
            parts.append(deduper.add(rows[start : start + size], "d").verdicts)
            start += size
        assert len(cache.encoder.encoded) <= 3 * len(texts)  # type: ignore[attr-defined]
    return rows.hstack(pl.concat(parts))


def near(one: str, other: str, encoder: Chosen, across: float | None = SEMANTIC) -> str | None:
    """The method that finds two texts near each other, if any."""
    one, other = one.strip(), other.strip()
    x, y = set(word_tokens(one)), set(word_tokens(other))
    if one == other or (x and x == y):
        return "exact"
    if x and y and len(x & y) / len(x | y) >= LEXICAL:
        return "lexical"
    vectors = encoder.encode([one, other])
    script, script_of_other = scripts_of(pl.Series([one, other]))
    limit = SEMANTIC if script == script_of_other else across
    if "教" in one + other or limit is None or not vectors[0] @ vectors[1] >= limit:
        return None
    return "semantic"


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXTS, max_size=14), st.data())
def test_any_parts_give_the_greedy_outcome_and_true_reasons(texts: list[str], data: st.DataObject) -> None:
    clusters = {text.strip(): data.draw(st.integers(0, 4)) for text in sorted(set(texts))}
    sizes = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    encoder, way = Chosen(clusters), data.draw(st.sampled_from(WAYS))
    rows = dedup(texts, clusters, sizes, way)
    kept: list[int] = []
    for place, row in enumerate(rows.to_dicts()):
        reasons = {f"{i:04d}": near(texts[i], texts[place], encoder, way[1]) for i in kept}
        reasons = {survivor: method for survivor, method in reasons.items() if method}
        assert row["kept"] == (not reasons)
        if row["kept"]:
            kept.append(place)
            assert (row["survivor_id"], row["method"], row["similarity"]) == (row["persona_id"], None, None)
        else:
            assert reasons[row["survivor_id"]] == row["method"]
    assert rows.select("survivor_shard", "survivor_dump").unique().rows() in ([], [("s", "d")])


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, max_size=14), st.data())
def test_masses_of_near_copies_give_the_same_outcome(texts: list[str], data: st.DataObject) -> None:
    clusters = {text.strip(): data.draw(st.integers(0, 2)) for text in sorted(set(texts))}
    whole = dedup(texts, clusters, [20])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lexical_module, "GROUP_PAIRS", 1)
        patch.setattr(lexical_module, "FIRST_PIVOTS", 1)
        massed = dedup(texts, clusters, [20])
    assert massed["kept"].equals(whole["kept"])


def test_a_later_text_of_a_set_whose_first_went_stands_for_it_in_later_parts() -> None:
    """`b a!` means something else than `a b`, which went for the sake of `x y`; it is the survivor of its words."""
    texts = ["x y", "a b", "c d", "b a!", "A B?", "d c."]
    clusters = {"x y": 1, "a b": 1, "c d": 2, "b a!": 3, "A B?": 4, "d c.": 5}
    rows = dedup(texts, clusters, [4, 1])
    assert rows["kept"].to_list() == [True, False, True, True, False, False]
    assert rows["survivor_id"].to_list() == ["0000", "0000", "0002", "0003", "0003", "0002"]
    assert rows["method"].to_list() == [None, "semantic", None, None, "exact", "exact"]


def test_texts_of_unknown_scripts_are_not_compared_by_their_vectors() -> None:
    rows = dedup(["教 a", "教 b", "c", "d"], {}, [4])
    assert rows["kept"].to_list() == [True, True, True, False]
    assert rows["semantic_compared"].to_list() == [False, False, True, True]


def test_a_part_fits_the_memory_that_it_may_take() -> None:
    assert part_rows(2 << 30, semantic=False) > 1_000_000
    assert part_rows(2 << 30, semantic=True) < part_rows(2 << 30, semantic=False)
    assert part_rows(1 << 20, semantic=True) == 10_000
    assert part_rows(1 << 45, semantic=False) <= MOST_SETS


def test_a_small_part_beside_a_large_segment_is_decided_as_in_one_part() -> None:
    """The table of the large one is then searched, not read."""
    texts = [f"w{n} w{n + 1} w{n * 7 % 300} who likes w{n % 11}" for n in range(600)]
    texts += ["w5 w6 w35 who likes w5!", "w9 w10 w63 who likes w9 now", "something else altogether"]
    clusters = {text.strip(): place % 16 for place, text in enumerate(texts)}
    assert dedup(texts, clusters, [600, 3]).equals(dedup(texts, clusters, [603]))
