"""What data contract 6 promises, on generated lakes with the packaged encoders."""

import random
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.dedup import compare as compare_module
from persona_assets.dedup import run as run_module
from persona_assets.dedup import semantic as semantic_module
from persona_assets.dedup import strands as strands_module
from persona_assets.dedup.run import dedup_dump, publish_shard
from persona_assets.dedup.strands import CALIBRATIONS
from persona_assets.lake.schemas import DEDUPED_PERSONAS
from persona_assets.text.encoder import MULTILINGUAL, load_encoder
from persona_assets.text.scripts import scripts_of
from persona_assets.text.tokens import word_tokens
from persona_assets_tests.dedup.lakes import add_shard, context, make_lake, verdicts

LEXICAL, SEMANTIC = 0.6, 0.8
WORDS = ["nurse", "retired", "who", "bakes", "bread", "in", "a", "village", "the", "old", "sailor", "sings"]
CHINESE = ["退", "休", "教", "师", "护", "士", "农", "民"]
ODD = ["", " ", "🙂", "🙂🙂", "...", "nurse", "Nurse!", "\u0301", "cafe\u0301 owner", "café owner", "护士 nurse"]
RUSSIAN = ["учитель", "физики", "из", "Казани", "который", "поёт"]
RANDOM = random.Random(7)
# A pool small enough that texts meet near-copies of themselves, and that each one is encoded once in these tests.
POOL = [
    *(" ".join(RANDOM.choices(WORDS, k=RANDOM.randint(2, 8))) for _ in range(24)),
    *("".join(RANDOM.choices(CHINESE, k=RANDOM.randint(2, 8))) for _ in range(8)),
    *(" ".join(RANDOM.choices(RUSSIAN, k=RANDOM.randint(2, 6))) for _ in range(8)),
]
TEXTS = st.sampled_from([*POOL, *ODD])
SHARDS = ["a.0000", "a.0001", "b.0000", "c.0000"]
LAKES = st.fixed_dictionaries({shard: st.lists(TEXTS, max_size=7) for shard in SHARDS})
FEW = settings(max_examples=10, deadline=None)


class Remembering:
    """A packaged encoder; a text that it has encoded once is not encoded again."""

    def __init__(self, name: str) -> None:
        self.real = load_encoder(name)
        self.name, self.revision, self.unknown_share = self.real.name, self.real.revision, self.real.unknown_share
        self.dimension = self.real.dimension
        self.known: dict[str, np.ndarray] = {}

    def encode(self, texts: Sequence[str], progress: object = None) -> np.ndarray:
        fresh = sorted(set(texts) - self.known.keys())
        self.known.update(zip(fresh, self.real.encode(fresh), strict=True))
        return np.array([self.known[text] for text in texts], np.float32).reshape(len(texts), self.dimension)


ENCODERS = {name: Remembering(name) for name in ("", MULTILINGUAL)}
LIMIT = CALIBRATIONS[MULTILINGUAL].limits(SEMANTIC, across=False).within


@pytest.fixture(autouse=True, scope="module")
def encoder() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strands_module, "load_encoder", ENCODERS.__getitem__)
        yield


def run(shards: dict[str, list[str]], order: list[str], asks: list[str]) -> pl.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        lake = make_lake(Path(folder), {shard: shards[shard] for shard in order})
        for dump in asks:
            dedup_dump(context(lake, lexical_threshold=LEXICAL, semantic_threshold=SEMANTIC), dump)
        return verdicts(lake)


def jaccard(one: str, other: str) -> float:
    x, y = set(word_tokens(one)), set(word_tokens(other))
    return len(x & y) / len(x | y) if x and y else 0.0


def cosine(one: str, other: str) -> tuple[float, float]:
    """Of two texts as the semantic stage compares them, and the limit; -1 where it does not."""
    script, script_of_other = scripts_of(pl.Series([one, other]))
    encoder, limit = (ENCODERS[MULTILINGUAL], LIMIT) if script else (ENCODERS[""], SEMANTIC)
    if script != script_of_other or (encoder.unknown_share([one, other]) > np.float32(0.2)).any():
        return -1, limit
    vectors = encoder.encode([one, other])
    return float(vectors[0] @ vectors[1]), limit


def within(one: str, other: str) -> bool:
    found, limit = cosine(one, other)
    return found >= limit


def naive(rows: pl.DataFrame) -> list[bool]:
    """The greedy rule over all pairs."""
    texts = [text.strip() for text in rows["text"]]
    kept: list[bool] = []
    for j, text in enumerate(texts):
        kept.append(
            not any(
                kept[i] and (text == texts[i] or jaccard(text, texts[i]) >= LEXICAL or within(texts[i], text))
                for i in range(j)
            )
        )
    return kept


@FEW
@given(LAKES, st.permutations(SHARDS), st.permutations("abc"))
def test_no_order_of_shards_or_asking_changes_the_survivors(
    shards: dict[str, list[str]], order: list[str], asks: list[str]
) -> None:
    assert run(shards, order, asks).equals(run(shards, SHARDS, ["c"]))


@FEW
@given(LAKES, st.integers(1, 5), st.booleans())
def test_parts_of_any_size_and_lost_segments_change_nothing(
    shards: dict[str, list[str]], rows: int, forget: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(run_module, "part_rows", lambda limit, semantic: rows)
        lake = make_lake(Path(folder), shards)
        for dump in "abc":
            dedup_dump(context(lake, lexical_threshold=LEXICAL, semantic_threshold=SEMANTIC), dump)
            if forget:
                shutil.rmtree(Path(folder) / "segments")
        in_parts = verdicts(lake)
    assert in_parts.equals(run(shards, SHARDS, ["c"]))


@FEW
@given(LAKES)
def test_an_index_in_place_of_products_changes_nothing(shards: dict[str, list[str]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(semantic_module, "EXACT_PRODUCTS", 0)
        patch.setattr(compare_module, "EXACT_PRODUCTS", 0)
        indexed = run(shards, SHARDS, ["c"])
    assert indexed.equals(run(shards, SHARDS, ["c"]))


@FEW
@given(LAKES)
def test_minhash_of_any_order_leaves_survivors_named_within_the_threshold(shards: dict[str, list[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake = make_lake(Path(folder), shards)
        dedup_dump(context(lake, lexical_threshold=LEXICAL, semantic=False, dedup_strategy="minhash"), "c")
        rows = verdicts(lake)
    kept = set(rows.filter("kept")["persona_id"])
    assert set(rows["survivor_id"]) <= kept
    lexical = rows.filter(pl.col("method") == "lexical")
    assert all(jaccard(row["text"], row["survivor_text"]) >= LEXICAL for row in lexical.to_dicts())


@FEW
@given(LAKES)
def test_survivors_are_those_of_the_naive_greedy_rule_over_all_pairs(shards: dict[str, list[str]]) -> None:
    rows = run(shards, SHARDS, ["c"])
    assert rows["kept"].to_list() == naive(rows)


@FEW
@given(LAKES)
def test_each_removed_row_names_a_kept_survivor_within_the_threshold(shards: dict[str, list[str]]) -> None:
    rows = run(shards, SHARDS, ["c"])
    kept = set(rows.filter("kept")["persona_id"])
    for row in rows.to_dicts():
        assert row["survivor_id"] in kept
        one, other = row["text"].strip(), row["survivor_text"].strip()
        if row["kept"]:
            assert (row["survivor_id"], row["method"], row["similarity"]) == (row["persona_id"], None, None)
        elif row["method"] == "exact":
            assert one == other or set(word_tokens(one)) == set(word_tokens(other))
        elif row["method"] == "lexical":
            assert row["similarity"] >= LEXICAL - 1e-4
            assert abs(row["similarity"] - jaccard(one, other)) < 1e-4
        else:
            found, limit = cosine(one, other)
            assert row["similarity"] >= limit - 1e-4
            assert abs(row["similarity"] - found) < 1e-3


@FEW
@given(LAKES)
def test_no_two_survivors_are_within_the_lexical_threshold(shards: dict[str, list[str]]) -> None:
    texts = run(shards, SHARDS, ["c"]).filter("kept")["text"].to_list()
    assert all(jaccard(one, other) < LEXICAL for i, one in enumerate(texts) for other in texts[:i])


@FEW
@given(LAKES)
def test_a_published_survivor_stays_when_later_dumps_arrive(shards: dict[str, list[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake = make_lake(Path(folder), {})
        standing = context(lake, lexical_threshold=LEXICAL, semantic_threshold=SEMANTIC)
        published: list[str] = []
        for dump in "cab":  # arriving out of key order: the seals record it
            for shard in (shard for shard in SHARDS if shard.startswith(dump)):
                add_shard(lake, shard, shards[shard])
            dedup_dump(standing, dump)
            for shard in (shard for shard in SHARDS if shard.startswith(dump)):
                publish_shard(standing, shard)
            now = lake.scan(DEDUPED_PERSONAS).collect()["persona_id"].to_list()
            assert set(published) <= set(now)
            assert set(now) == set(verdicts(lake).filter("kept")["persona_id"])
            published = now


@FEW
@given(LAKES)
def test_asking_again_changes_nothing(shards: dict[str, list[str]]) -> None:
    assert run(shards, SHARDS, ["c", "a", "b", "c"]).equals(run(shards, SHARDS, ["c"]))
