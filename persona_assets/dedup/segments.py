"""Segments: what later personas are compared with, of the survivors of one part of one dump.

A segment is a folder of Arrow files, memory-mapped, so that a look-up reads what it touches and no text:
`keys.arrow` has the entries of the survivors' keys, ascending; `sets.arrow` has by place the survivor's persona id,
shard, script and token hashes; `<model>-<scripts>-<digest>.usearch`, made when it is first worth it, is an index of the
vectors of those of some scripts. A segment is derived from the survivors and their texts and can be deleted.
"""

import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from fsspec.implementations.local import LocalFileSystem
from numpy.typing import NDArray

from persona_assets.dedup.keys import (
    MOST_SETS,
    Scheme,
    blocking_keys,
    keys_of,
    rows_of,
    whole_keys,
    with_keys,
)
from persona_assets.dedup.lexical import jaccard, lexical_pairs
from persona_assets.dedup.semantic import IndexStore, Scripts, unit
from persona_assets.dedup.survivors import Hits
from persona_assets.errors import PersonaAssetsError
from persona_assets.lake.vectors import Half, VectorCache
from persona_assets.lake.verified import file_digest, is_sound
from persona_assets.text.sets import TokenSets, spans
from persona_assets.text.token_hashes import Hashes, Index

TextsOf = Callable[[pl.DataFrame], pl.Series]  # texts of personas (persona_id, shard, dump), in their order
FILES = ("keys.arrow", "sets.arrow")
FAR_LARGER = 16  # how many times larger a table of entries is that is searched in place of read
MARKED_BITS = 26  # of a key, by which tables of entries are compared at first: 64 MiB
_UNMARKED = np.uint64(64 - MARKED_BITS)
INDEX_ROWS = 8192  # vectors added to an index at once
EXACT, LEXICAL = 0, 1  # places in METHODS
_LOCAL = LocalFileSystem()
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Keyed:
    """Distinct token sets with their keys, ascending: the blocking keys, and one key that only equal sets share."""

    sets: TokenSets
    entries: Hashes

    @classmethod
    def of(cls, sets: TokenSets, scheme: Scheme) -> "Keyed":
        """Compute the keys of sets, at most `MOST_SETS`."""
        entries = np.concatenate([blocking_keys(sets, scheme), whole_keys(sets)])
        entries.sort()
        return cls(sets, entries)

    @cached_property
    def _marks(self) -> NDArray[np.bool_]:
        """By the first bits of a key, whether a key of the sets begins with them."""
        marks = np.zeros(1 << MARKED_BITS, bool)
        marks[(self.entries >> _UNMARKED).astype(np.int64)] = True
        return marks

    def likely_in(self, entries: Hashes) -> Hashes:
        """Of the entries of other sets, ascending, those that may share a key with these; reads little where it can."""
        if FAR_LARGER * len(self.entries) < len(entries):
            return _with_common_keys(self.entries, entries)[1]
        return entries[self._marks[(entries >> _UNMARKED).astype(np.int64)]]


class Segment:
    """The survivors of one part of a dump, in canonical order."""

    def __init__(self, folder: Path, dump: str) -> None:
        """Open a segment; nothing is read yet."""
        self.folder, self.dump = folder, dump

    @classmethod
    def write(cls, folder: Path, dump: str, survivors: pl.DataFrame, keyed: Keyed, chosen: Index) -> "Segment":
        """Write the segment of the sets `chosen`; `survivors` has their persona_id, shard and script, in order."""
        folder.mkdir(parents=True)
        place = np.full(len(keyed.sets), -1)
        place[chosen] = np.arange(len(chosen))
        entries = keyed.entries[place[rows_of(keyed.entries)] >= 0]
        in_order = bool((chosen[1:] > chosen[:-1]).all())  # else a set's first text went and a later one stays
        moved = with_keys(keys_of(entries), place[rows_of(entries)])
        _write(folder / FILES[0], pa.table({"entry": moved if in_order else np.sort(moved)}))
        sets = keyed.sets.where(place >= 0) if in_order else keyed.sets.take(chosen)
        tokens = pa.LargeListArray.from_arrays(pa.array(sets.offsets), pa.array(sets.tokens))
        ids = {
            name: pa.array(survivors[name].to_arrow(compat_level=pl.CompatLevel.oldest()))
            for name in ("persona_id", "shard", "script")
        }
        _write(folder / FILES[1], pa.table({**ids, "tokens": tokens}))
        return cls(folder, dump)

    def __len__(self) -> int:
        return self._size

    @cached_property
    def _size(self) -> int:
        return int(self._sets().num_rows)

    # Mapped anew for each look-up and let go after it: what was touched of a file does not stay in memory.

    def _sets(self) -> pa.RecordBatch:
        return _read(self.folder / FILES[1])

    def _entries(self) -> Hashes:
        entries: Hashes = _read(self.folder / FILES[0])["entry"].to_numpy()
        return entries

    def token_sets(self, places: Index) -> TokenSets:
        """The token sets of the survivors at these places."""
        tokens = self._sets()["tokens"]
        return TokenSets(tokens.offsets.to_numpy(), tokens.values.to_numpy()).take(places)

    def survivors(self, places: Index | None = None) -> pl.DataFrame:
        """persona_id, shard and dump of the survivors at these places, or of all."""
        batch = self._sets().select(["persona_id", "shard"])
        rows = batch if places is None else batch.take(pa.array(places))
        return pl.DataFrame(pl.from_arrow(pa.table(rows))).with_columns(dump=pl.lit(self.dump))

    @property
    def scripts(self) -> Scripts:
        """The survivors' scripts, places in SCRIPTS, shape (n,)."""
        scripts: Scripts = self._sets()["script"].to_numpy()
        return scripts

    def near(self, keyed: Keyed, scheme: Scheme, waiting: NDArray[np.bool_]) -> tuple[Hits, int]:
        """The first survivor near each set that waits (mask), counted back from the segment's end; pairs compared."""
        hits = Hits.none(len(keyed.sets))
        theirs, mine = _with_common_keys(keyed.likely_in(self._entries()), keyed.entries)
        mine = mine[waiting[rows_of(mine)]]
        if not len(mine):
            return hits, 0
        old, old_row = _numbered(rows_of(theirs), len(self))
        new, new_row = _numbered(rows_of(mine), len(keyed.sets))
        both = TokenSets.concat([self.token_sets(old), keyed.sets.take(new)])
        entries = np.concatenate([with_keys(keys_of(theirs), old_row), with_keys(keys_of(mine), new_row + len(old))])
        found = lexical_pairs(both, scheme, np.sort(entries), known=len(old))
        pairs = found.pairs
        equal = pairs.similarity == 1
        if scheme.strategy == "paper":  # there 1 is an estimate
            equal &= jaccard(both, pairs.left, pairs.right) == 1
        order = np.lexsort((pairs.left, ~equal, pairs.right))  # an equal one first, as survivors that stand may be near
        rights, first = np.unique(pairs.right[order], return_index=True)
        best = order[first]
        sets = new[rights - len(old)]
        hits.survivor[sets] = old[pairs.left[best]] - len(self)
        hits.similarity[sets] = pairs.similarity[best]
        hits.method[sets] = np.where(equal[best], EXACT, LEXICAL)
        return hits, found.candidates

    def vectors(self, cache: VectorCache, texts: TextsOf, wanted: NDArray[np.bool_]) -> Iterator[tuple[Index, Half]]:
        """The vectors of those survivors (mask) in blocks, each place once, with a block's places; no order.

        Those that the cache does not have, since the semantic stage was off or had another model, are encoded last.
        """
        waiting = wanted.copy()
        ids = self.survivors().select("persona_id", "shard").with_row_index("place").filter(pl.Series(wanted))
        for (shard,), mine in ids.group_by(["shard"], maintain_order=True):
            ends = mine["persona_id"].min(), mine["persona_id"].max()
            for block in cache.scan(str(shard), ends):
                found = block.filter("settled").join(mine.select("persona_id", "place"), on="persona_id")
                yield from _first_time(found, waiting)
        missing = np.flatnonzero(waiting)
        if len(missing):
            rows = self.survivors(missing)
            known, vectors = cache.vectors(rows.with_columns(text=texts(rows)))
            yield missing[known], vectors

    def index(self, cache: VectorCache, texts: TextsOf, wanted: NDArray[np.bool_], name: str) -> IndexStore:
        """The index of those survivors' vectors (mask), made and kept by its name where there is none.

        Its keys are places.
        """
        for path in sorted(self.folder.glob(f"{cache.key}-{name}-*.usearch")):
            if is_sound(_LOCAL, str(path), path.stem.rsplit("-", 1)[1]):
                return IndexStore.restore(path)
            path.unlink(missing_ok=True)
            logger.warning("%s was removed: its bytes do not fit its name; the index is made again", path)
        index = _ordered_index(list(self.vectors(cache, texts, wanted)))
        if index.index is not None:
            temporary = self.folder / f"{uuid.uuid4().hex}.tmp"
            index.save(temporary)
            temporary.replace(self.folder / f"{cache.key}-{name}-{file_digest(_LOCAL, str(temporary))}.usearch")
        return index


def _first_time(found: pl.DataFrame, waiting: NDArray[np.bool_]) -> Iterator[tuple[Index, Half]]:
    """The found places that are waiting, with their vectors where they have one; they wait no more."""
    fresh = found.unique("place", maintain_order=True)
    fresh = fresh.filter(pl.Series(waiting[fresh["place"].to_numpy()], dtype=pl.Boolean))
    waiting[fresh["place"].to_numpy()] = False
    known = fresh.filter(pl.col("vector").is_not_null())
    if known.height:
        yield known["place"].to_numpy().astype(np.int64), known["vector"].to_numpy()


def _ordered_index(blocks: Sequence[tuple[Index, Half]]) -> IndexStore:
    """An index filled in order of place, whatever the order of the blocks."""
    index = IndexStore()
    if not blocks:
        return index
    vectors = np.concatenate([vectors for _, vectors in blocks])
    places, rows = np.unique(np.concatenate([places for places, _ in blocks]), return_index=True)
    for start in range(0, len(places), INDEX_ROWS):
        index.put(places[start : start + INDEX_ROWS], unit(vectors[rows[start : start + INDEX_ROWS]]))
    return index


def _with_common_keys(some: Hashes, all_: Hashes) -> tuple[Hashes, Hashes]:
    """The entries of two tables, ascending, whose keys both have; the second one is the larger."""
    keys = keys_of(some)
    first = np.append(True, keys[1:] != keys[:-1])[: len(keys)]
    starts = np.searchsorted(all_, with_keys(keys[first], np.zeros(1, np.int64)))
    ends = np.searchsorted(all_, with_keys(keys[first], np.full(1, MOST_SETS - 1)), "right")
    shared = (ends > starts)[np.cumsum(first) - 1]
    return some[shared], all_[spans(starts, ends - starts)]


def _numbered(values: Index, end: int) -> tuple[Index, Index]:
    """The distinct values below `end`, ascending, and the number of each value among them."""
    used = np.zeros(end, bool)
    used[values] = True
    return np.flatnonzero(used), (np.cumsum(used) - 1)[values]


def _write(path: Path, table: pa.Table) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table.combine_chunks())


def _read(path: Path) -> pa.RecordBatch:
    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except FileNotFoundError as error:
        raise PersonaAssetsError(f"{path} is gone: another run has written these survivors anew; run again") from error
    except (OSError, pa.ArrowException) as error:
        raise PersonaAssetsError(f"{path} cannot be read ({error}): run again, and it is made anew") from error
    return table.to_batches()[0] if table.num_rows else pa.RecordBatch.from_pylist([], schema=table.schema)
