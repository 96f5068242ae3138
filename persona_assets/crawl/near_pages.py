"""Near-duplicate pages of a dump: which of them stand, decided one after the other as they are read.

In the order of shards, files and records, a page goes if one that stands is near it, and names the first of these; else
it stands. Pages are near where the Jaccard similarity of their shingles (`text/shingles.py`) is at least the threshold,
as their sketches tell it (`text/sketches.py`). Those that share a MinHash key are compared; there are as many keys as
find 99 of 100 pairs that are just near, and all but a few in 100,000 of a similarity of 0.9. Of a key the first
`PAGES_OF_KEY` standing pages are looked at: it has more only where it comes of a template that all of them share, and
pages that are near have keys of their own in common, too.
"""

from tempfile import TemporaryFile
from typing import IO

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from persona_assets.crawl.digest_index import PAGES_OF_KEY, KeyIndex, first_of_each
from persona_assets.text.minhash import fewest_bands, keys_of_bands
from persona_assets.text.sets import ends_of, spans
from persona_assets.text.shingles import shingle_sets
from persona_assets.text.sketches import SIZE, Values, filled, similarities, sketched
from persona_assets.text.token_hashes import Hashes, Index

RECALL = 0.99  # of the keys, at the threshold
PAIRS = 4096  # compared at once: 8 MiB
_OWN = np.uint64(1 << 63)  # marks the place of a page of the shard itself
_SLACK = 1e-9  # of a quotient that stands for the threshold
FOUND = pl.Schema({"survivor_id": pl.String(), "similarity": pl.Float64()})


def keys_and_sketches(texts: pl.Series, threshold: float) -> pl.DataFrame:
    """What n pages are compared by, columns `keys` and `sketch`; empty lists for null, and where the threshold is 0."""
    if not threshold:
        texts = pl.Series([None] * len(texts), dtype=pl.String)
    sets = shingle_sets(texts)
    count, rows = fewest_bands(threshold or 1.0, RECALL)
    used = sets.sizes > 0
    keys = keys_of_bands(sets, count, rows)[used].ravel().view(np.int64)
    offsets, values = sketched(sets)
    return pl.DataFrame({"keys": _lists(ends_of(used * count), keys), "sketch": _lists(offsets, values)})


def _lists(offsets: Index, values: NDArray[np.int64] | Values) -> pl.Series:
    return pl.Series(pl.from_arrow(pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values))))


class NearPages:
    """The pages of a shard that stand so far, beside those of earlier shards.

    Of a page that stands, some 300 bytes are in memory and its sketch is in a temporary file.
    """

    def __init__(self, threshold: float, earlier: KeyIndex | None = None) -> None:
        """No page of the shard yet."""
        self._threshold, self._earlier = threshold - _SLACK, earlier
        self._tables: list[
            tuple[Hashes, Hashes]
        ] = []  # keys, ascending, and places, each table as large as those after
        self._ids: list[str] = []
        self._file: IO[bytes] | None = None

    def decide(self, pages: pl.DataFrame) -> pl.DataFrame:
        """Decide the next pages (document_id, keys, sketch), in order: `FOUND`, null for those that stand."""
        keyed = (pages["keys"].list.len() > 0).fill_null(value=False)
        places = np.flatnonzero(keyed.to_numpy())
        found: list[tuple[str | None, float | None]] = [(None, None)] * pages.height
        if len(places):
            for place, verdict in zip(places.tolist(), self._decide(pages.filter(keyed)), strict=True):
                found[place] = verdict
        return pl.DataFrame(found, schema=FOUND, orient="row")

    def close(self) -> None:
        """Remove the temporary file."""
        if self._file:
            self._file.close()

    def _decide(self, pages: pl.DataFrame) -> list[tuple[str | None, float | None]]:
        keys = pages["keys"].explode().to_numpy().view(np.uint64).reshape(pages.height, -1)
        sketches = _filled(pages["sketch"])
        ids = pages["document_id"].to_list()
        key, place = self._with_keys(keys.ravel())
        room = (PAGES_OF_KEY - np.bincount(key, minlength=keys.size)).reshape(keys.shape)
        found = self._near_standing(key // keys.shape[1], place, sketches)
        fresh: dict[int, list[int]] = {}  # by key the rows that stand, of those that are being decided
        stands: list[int] = []
        kept_keys: list[int] = []
        kept_rows: list[int] = []
        for row, (own, rooms) in enumerate(zip(keys.tolist(), room.tolist(), strict=True)):
            if found[row][0] is not None:
                continue
            others = sorted({other for one in own for other in fresh.get(one, ())})
            if others:
                similar = similarities(sketches[row], sketches[others])
                near = np.flatnonzero(similar >= self._threshold)
                if len(near):
                    found[row] = ids[others[near[0]]], round(float(similar[near[0]]), 4)
                    continue
            for one, left in zip(own, rooms, strict=True):
                rows = fresh.setdefault(one, [])
                if len(rows) < left:
                    rows.append(row)
                    kept_keys.append(one)
                    kept_rows.append(len(stands))
            stands.append(row)
        self._add(np.array(kept_keys, np.uint64), np.array(kept_rows, np.uint64), sketches[stands])
        self._ids += [ids[row] for row in stands]
        return found

    def _with_keys(self, keys: Hashes) -> tuple[Index, Hashes]:
        """The first standing pages of each key: the number of the key, and the place of the page, in order."""
        rows, places = [], []
        if self._earlier:
            row, place = self._earlier.find(keys, np.zeros(len(keys), np.uint64))
            rows.append(row)
            places.append(place)
        for held, place in self._tables:
            starts, ends = np.searchsorted(held, keys), np.searchsorted(held, keys, "right")
            rows.append(np.repeat(np.arange(len(keys)), ends - starts))
            places.append(place[spans(starts, ends - starts)])
        if not rows:
            return np.zeros(0, np.int64), np.zeros(0, np.uint64)
        return first_of_each(np.concatenate(rows), np.concatenate(places), PAGES_OF_KEY)

    def _near_standing(self, rows: Index, places: Hashes, sketches: Values) -> list[tuple[str | None, float | None]]:
        """By row the first page that is near, of these pairs of a row and a page that stands."""
        found: list[tuple[str | None, float | None]] = [(None, None)] * len(sketches)
        order = np.lexsort((places, rows))
        rows, places = rows[order], places[order]
        once = np.append(True, (rows[1:] != rows[:-1]) | (places[1:] != places[:-1]))[: len(rows)]
        rows, places = rows[once], places[once]
        for start in range(0, len(rows), PAIRS):
            row, place = rows[start : start + PAIRS], places[start : start + PAIRS]
            distinct, which = np.unique(place, return_inverse=True)
            ids, theirs = self._pages(distinct)
            similar = similarities(sketches[row], theirs[which])
            near = np.flatnonzero(similar >= self._threshold)
            for one, first in zip(*np.unique(row[near], return_index=True), strict=True):
                if found[one][0] is None:
                    pair = near[first]
                    found[one] = ids[which[pair]], round(float(similar[pair]), 4)
        return found

    def _pages(self, places: Hashes) -> tuple[list[str], Values]:
        """Ids and sketches of standing pages, places ascending."""
        own = places >= _OWN
        numbers = (places[own] ^ _OWN).astype(np.int64)
        sketches = np.zeros((0, SIZE), np.uint32)
        if self._file and len(numbers):
            self._file.flush()
            sketches = np.asarray(np.memmap(self._file, np.uint32, "r", shape=(len(self._ids), SIZE))[numbers])
        ids = [self._ids[number] for number in numbers.tolist()]
        if self._earlier and not own.all():
            pages = self._earlier.pages(places[~own])
            return pages["document_id"].to_list() + ids, np.concatenate([_filled(pages["sketch"]), sketches])
        return ids, sketches

    def _add(self, keys: Hashes, rows: Hashes, sketches: Values) -> None:
        """Remember pages that stand: their keys with the rows of the pages, and their sketches."""
        if not len(sketches):
            return
        if self._file is None:
            self._file = TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._file.write(sketches.tobytes())
        added = keys, (rows + np.uint64(len(self._ids))) | _OWN
        order = np.argsort(added[0], kind="stable")
        self._tables.append((added[0][order], added[1][order]))
        while len(self._tables) > 1 and len(self._tables[-2][0]) <= 2 * len(self._tables[-1][0]):
            one, two = self._tables[-2:]
            joined = np.concatenate([one[0], two[0]]), np.concatenate([one[1], two[1]])
            order = np.argsort(joined[0], kind="stable")
            self._tables[-2:] = [(joined[0][order], joined[1][order])]


def _filled(sketches: pl.Series) -> Values:
    """Sketches as rows of shape (n, SIZE)."""
    values = sketches.explode().drop_nulls().to_numpy()
    return filled(ends_of(sketches.list.len().to_numpy().astype(np.int64)), values)
