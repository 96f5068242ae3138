"""What a table holds, as one digest: of its rows in order, without the columns that differ between two equal runs."""

import hashlib
from collections.abc import Callable

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from persona_assets.ids import canonical_json, digest
from persona_assets.lake.schemas import Table

Feed = Callable[[pa.Array], None]


class ContentDigest:
    """Digests rows as they are written. Where batches begin, and how a file is encoded, changes nothing."""

    def __init__(self, table: Table) -> None:
        """No rows yet; the names and types of the columns are part of the digest."""
        self._columns = {name: dtype for name, dtype in table.polars.items() if name not in table.volatile}
        self._hashers: dict[tuple[str, ...], hashlib.blake2b] = {}
        self._rows = 0

    def update(self, rows: pa.Table) -> None:
        """Add rows, which have the table's columns."""
        self._rows += rows.num_rows
        for name in self._columns:
            for chunk in rows[name].chunks:
                self._feed((name,), chunk)

    def hexdigest(self) -> str:
        """The digest of all rows so far, 32 hexadecimal digits."""
        types = [[name, str(dtype)] for name, dtype in self._columns.items()]
        parts = sorted((list(place), hasher.hexdigest()) for place, hasher in self._hashers.items())
        return digest(canonical_json([types, self._rows, parts]))

    def _feed(self, place: tuple[str, ...], array: pa.Array) -> None:
        """Each part of a column (which values are null, lengths, values) goes to a hasher of its own."""
        self._hash((*place, "valid"), np.asarray(array.is_valid()))
        kind = array.type
        if pa.types.is_list(kind) or pa.types.is_large_list(kind):
            self._hash((*place, "length"), np.asarray(pc.fill_null(pc.list_value_length(array), 0), np.int64))
            self._feed((*place, "item"), array.flatten())
        elif pa.types.is_struct(kind):
            for index in range(kind.num_fields):
                self._feed((*place, kind.field(index).name), pc.struct_field(array, [index]))
        elif pa.types.is_large_string(kind) or pa.types.is_string(kind):
            texts = pc.fill_null(array, "").cast(pa.large_string())
            self._hash((*place, "length"), np.asarray(pc.binary_length(texts), np.int64))
            self._hash((*place, "text"), _bytes_of(texts))
        elif pa.types.is_floating(kind):
            values = np.asarray(pc.fill_null(array, 0.0), np.float64)
            self._hash((*place, "value"), np.where(np.isnan(values), np.nan, values + 0.0))  # one NaN, one zero
        elif pa.types.is_boolean(kind):
            self._hash((*place, "value"), np.asarray(pc.fill_null(array, False)))
        else:
            self._hash((*place, "value"), np.asarray(pc.fill_null(array.cast(pa.int64()), 0)))

    def _hash(self, place: tuple[str, ...], values: np.ndarray) -> None:
        if place not in self._hashers:
            self._hashers[place] = hashlib.blake2b(digest_size=16)
        self._hashers[place].update(np.ascontiguousarray(values).view(np.uint8).data)


def _bytes_of(texts: pa.Array) -> np.ndarray:
    """The UTF-8 bytes of all texts, one after the other, without a copy."""
    _, offsets, data = texts.buffers()
    bounds = np.frombuffer(offsets, np.int64, len(texts) + 1, texts.offset * 8)
    held = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    return held[bounds[0] : bounds[-1]]


def content_of(frame: pl.DataFrame, table: Table) -> str:
    """The digest of a frame of the table's columns."""
    content = ContentDigest(table)
    content.update(frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
    return content.hexdigest()
