"""The ledger: every paid model call, in Parquet parts named by their content (data contract 4).

`<lake>/calls/template=<t>/shard=<s>/part-<blake2b-128 of the bytes>.parquet`. Parts never change, so what was read of
one stays true, and a name that does not fit its bytes proves damage. A part is written aside and committed, so it is
seen whole or not at all; a merge commits the new part before the old ones go: a crash leaves duplicates, never gaps.
"""

import logging
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

import orjson
import polars as pl
import pyarrow as pa

from persona_assets.engines.call import Call
from persona_assets.engines.parts import (
    KeyIndex,
    encode_calls,
    file_digest,
    hash_ids,
    merge_parts,
    read_index,
    read_rows,
)
from persona_assets.errors import PersonaAssetsError
from persona_assets.ids import canonical_json, digest
from persona_assets.lake import Lake
from persona_assets.lake.schemas import CALLS
from persona_assets.lake.store import check_key
from persona_assets.prompts import Template

__all__ = ["Call", "Ledger"]

SMALL_PARTS = 128  # own parts of a shard merged while it runs: keeps a long run's part count low
INDEX_ROWS = 16_000_000  # keys kept in memory, 12 bytes each; parts beyond are read again per look-up
RELISTS = 8  # how often a reader returns to the listing when another process merged a listed part away
CORRUPT = "calls_corrupt"  # folder of damaged parts, which no reader lists
_DIGEST = re.compile(r"[0-9a-f]{32}")
T = TypeVar("T")
logger = logging.getLogger(__name__)


class Ledger:
    """All calls of a lake. Cheap to make; remembers what it has read of the parts, which never change."""

    def __init__(self, lake: Lake) -> None:
        """Bind to a lake; nothing is read yet."""
        self.lake = lake
        self.root = f"{lake.root}/{CALLS.name}"
        self._indexes: dict[str, KeyIndex] = {}
        self._indexed = 0
        self._lock = threading.Lock()  # an engine may pull questions, with their look-ups, on a thread of its own
        self._own: dict[tuple[str, str], list[str]] = defaultdict(list)

    # Writing

    def store(self, template: str, shard: str, calls: Sequence[Call]) -> None:
        """Keep calls: one new part, visible whole to every process when this returns; none for no calls."""
        if not calls:
            return
        data = encode_calls(calls)
        path = f"{self._folder(template, shard)}/part-{digest(data)}.parquet"
        self.lake.write_bytes(path, data)
        own = self._own[template, shard]
        own.append(path)
        if len(own) >= SMALL_PARTS:
            self._again(lambda: self._merge(template, shard, sorted({*own} & {*self.paths(template, shard)})))
            own.clear()

    def compact(self, template: str, shard: str) -> None:
        """Merge a shard's parts into one without duplicates; safe at any moment of a crash, and beside readers."""
        self._own.pop((template, shard), None)
        self._again(lambda: self._merge(template, shard, self.paths(template, shard)))

    def _merge(self, template: str, shard: str, paths: Sequence[str]) -> None:
        if len(paths) < 2:
            return
        fs = self.lake.fs
        # Damage must not get into a part whose name fits it.
        whole = [path for path in paths if self._is_whole(path) and self._index(path) is not None]
        if len(whole) < 2:
            return
        temporary = self.lake.temporary()
        try:
            merge_parts(fs, whole, temporary)
            merged = f"{self._folder(template, shard)}/part-{file_digest(fs, temporary)}.parquet"
            self.lake.commit(temporary, merged)
        finally:
            if fs.exists(temporary):
                fs.rm(temporary)
        for path in whole:
            if path != merged:
                self._forget(path)
                with suppress(FileNotFoundError):  # another process merged it too
                    fs.rm(path)

    # Reading

    def lookup(self, template: str, call_ids: Sequence[str]) -> dict[str, Call]:
        """The calls of a template that are held, by id, whichever shard asked; absent ids are left out.

        Holds 12 bytes per call of the template (up to a bound) and the rows that are found. An id that two
        processes raced for resolves to the earliest `created_at`, then `run_id`, then `shard`.
        """
        return self._again(lambda: self._find_in(self.paths(template), set(call_ids)))

    def find(self, call_id: str) -> Call | None:
        """One call, of any template; None where it is not held."""
        return self._again(lambda: self._find_in(self.paths(), {call_id})).get(call_id)

    def paths(self, template: str | None = None, shard: str | None = None) -> list[str]:
        """The parts that exist, sorted."""
        folder = f"template={check_key(template) if template else '*'}/shard={check_key(shard) if shard else '*'}"
        return sorted(self.lake.fs.glob(f"{self.root}/{folder}/part-*.parquet"))

    def scan(self) -> pl.LazyFrame:
        """All calls, as stored; a raced id may stand twice until its shard is compacted."""
        return self.lake.scan_paths(self.paths(), CALLS)

    def _find_in(self, paths: Sequence[str], wanted: set[str]) -> dict[str, Call]:
        found: dict[str, Call] = {}
        if not wanted:
            return found
        probes = hash_ids(pl.Series(sorted(wanted)))
        for path in paths:
            index = self._index(path)
            if index is None or not len(rows := index.rows_of(probes)):
                continue
            for call in self._guard(path, partial(read_rows, self.lake.fs, path, rows)) or ():
                held = found.get(call.call_id)
                if call.call_id in wanted and (held is None or call.rank < held.rank):
                    found[call.call_id] = call
        return found

    def _index(self, path: str) -> KeyIndex | None:
        index = self._indexes.get(path)
        if index is None:
            index = self._guard(path, partial(read_index, self.lake.fs, path))
            with self._lock:
                if index is not None and self._indexed + len(index) <= INDEX_ROWS and path not in self._indexes:
                    self._indexes[path] = index
                    self._indexed += len(index)
        return index

    def _forget(self, path: str) -> None:
        with self._lock:
            index = self._indexes.pop(path, None)
            self._indexed -= len(index) if index is not None else 0

    def _again(self, read: Callable[[], T]) -> T:
        """Do `read`, from the listing on again where another process merged a part away in between."""
        for _ in range(RELISTS):
            with suppress(FileNotFoundError):
                return read()
        return read()

    # Damage

    def verify(self) -> list[str]:
        """Read every byte; parts that do not fit their name or cannot be read are set aside.

        Returns: all parts set aside, now or before, as paths below `<lake>/calls_corrupt`.
        """
        for path in self.paths():
            with suppress(FileNotFoundError):  # merged away since it was listed
                if self._is_whole(path):
                    self._index(path)
        return sorted(self.lake.fs.glob(f"{self.lake.root}/{CORRUPT}/*/*/*.parquet"))

    def _is_whole(self, path: str) -> bool:
        whole = path.endswith(f"/part-{file_digest(self.lake.fs, path)}.parquet")
        if not whole:
            self._set_aside(path, "its bytes do not fit its name")
        return whole

    def _guard(self, path: str, read: Callable[[], T]) -> T | None:
        """Do `read`; where the part turns out damaged set it aside and return None."""
        try:
            return read()
        except (pa.ArrowException, OSError, ValueError) as error:
            # An error of the file system has a number and says nothing of the content; pyarrow's have none.
            if isinstance(error, OSError) and error.errno is not None:
                raise
            self._set_aside(path, str(error))
            return None

    def _set_aside(self, path: str, why: str) -> None:
        target = f"{self.lake.root}/{CORRUPT}{path.removeprefix(self.root)}"
        logger.warning(
            "ledger part %s is damaged (%s) and set aside as %s; its calls will be made again",
            path,
            why,
            target,
        )
        self._forget(path)
        with suppress(FileNotFoundError):  # another process set it aside too
            self.lake.commit(path, target)

    def _folder(self, template: str, shard: str) -> str:
        return f"{self.root}/template={check_key(template)}/shard={check_key(shard)}"

    # Templates

    def keep_template(self, template: Template) -> None:
        """Keep what a prompt is rendered from, once, under its digest."""
        path = self._template_path(template.digest)
        if not self.lake.fs.exists(path):
            self.lake.write_bytes(path, canonical_json(template.prompt_part()))

    def template(self, template_digest: str) -> Template:
        """The template of a call, which renders to the same bytes as it did.

        Raises:
            PersonaAssetsError: it is not kept, or its text does not fit its digest.

        """
        path = self._template_path(template_digest)
        if not self.lake.fs.exists(path):
            raise PersonaAssetsError(f"{path}: template {template_digest} is not kept; restore the file from a backup")
        data = self.lake.fs.cat_file(path)
        if digest(data) != template_digest:
            raise PersonaAssetsError(f"{path}: the template was changed after it was used (its digest differs)")
        part = orjson.loads(data)
        return Template(**part, title=part["name"], description="")

    def _template_path(self, template_digest: str) -> str:
        if not _DIGEST.fullmatch(template_digest):
            raise PersonaAssetsError(f"{template_digest!r} is no template digest (32 hexadecimal digits)")
        return f"{self.lake.root}/templates/{template_digest}.json"
