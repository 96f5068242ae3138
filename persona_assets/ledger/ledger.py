"""The ledger: every paid model call, in Parquet parts named by their content (data contract 4).

`<lake>/calls/template=<t>/shard=<s>/part-<blake2b-128 of the bytes>.parquet`. Parts never change, so what was read of
one stays true, and a name that does not fit its bytes proves damage. A part is written aside and committed, so it is
seen whole or not at all; a merge commits the new part before the old ones go: a crash leaves duplicates, never gaps.
Where a call stands is looked up in an index (`ledger.index`), a cache that says nothing which the parts do not.
"""

import logging
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count, pairwise
from typing import TypeVar

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from persona_assets.errors import PersonaAssetsError
from persona_assets.ids import canonical_json, digest
from persona_assets.lake import Lake
from persona_assets.lake.schemas import CALLS, conform
from persona_assets.lake.store import check_key
from persona_assets.lake.verified import file_digest
from persona_assets.ledger.call import RANK, Call
from persona_assets.ledger.index import RELISTS, CallIndex, Hits, Keys, call_keys, is_of_the_system, read_ids
from persona_assets.ledger.part_files import PartReader, calls_frame, each_once, encode_frame, merge_parts
from persona_assets.ledger.sorted_keys import similar
from persona_assets.prompts import Template

__all__ = ["Call", "Ledger"]

SMALL_PARTS = 128  # own parts of a shard merged while it runs: keeps a long run's part count low
SMALL_BYTES = 1 << 22  # parts up to this are merged whatever the size of the others
FULL_BYTES = 1 << 29  # parts from this size are not merged any more: bounds the memory and the time that a merge takes
CORRUPT = "calls_corrupt"  # folder of damaged parts, which no reader lists
ANSWER = ("call_id", "answer", "finish_reason", "tokens_out", "model")  # what parsing an answer takes
_NONE = pl.DataFrame(schema=CALLS.polars)
_DIGEST = re.compile(r"[0-9a-f]{32}")
T = TypeVar("T")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DamagedPart:
    """A part that was set aside."""

    path: str  # where it is now, below the lake
    home: str  # where a sound copy of it belongs
    calls: int | None  # how many it holds; None where not even that can be read


class _Gone(Exception):
    """A part that was found is not there any more, or not what was indexed."""


def _by_part(hits: Hits) -> Iterator[Hits]:
    """Hits in the order of their places, part by part."""
    ordered = hits[np.lexsort((hits.row, hits.part))]
    bounds = np.flatnonzero(np.diff(ordered.part, prepend=-1, append=-1))
    for start, end in pairwise(bounds.tolist()):
        yield ordered[np.arange(start, end)]


class Ledger:
    """All calls of a lake. Cheap to make; of each call of a template that is looked at memory holds an eighth of
    a byte, and of the latest ones (`index.TAIL_ROWS`) 24 bytes.
    """

    def __init__(self, lake: Lake) -> None:
        """Bind to a lake; nothing is read yet."""
        self.lake = lake
        self.root = f"{lake.root}/{CALLS.name}"
        self._indexes: dict[str, CallIndex] = {}
        self._reader = PartReader(lake.fs)
        self._lock = threading.RLock()  # an engine may pull questions, with their look-ups, on a thread of its own
        self._own: dict[tuple[str, str], list[str]] = defaultdict(list)

    # Writing

    def store(self, template: str, shard: str, calls: Sequence[Call]) -> None:
        """Keep calls: one new part, visible whole to every process when this returns; none for no calls."""
        if not calls:
            return
        self.store_frame(template, shard, calls_frame(calls))

    def store_frame(self, template: str, shard: str, frame: pl.DataFrame) -> None:
        """The same for calls in columns, those of `CALLS`.

        Raises:
            ValueError: a column is missing, unknown, or not of the declared type.
        """
        if frame.is_empty():
            return
        frame = each_once(conform(frame, CALLS))
        data = encode_frame(frame)
        path = f"{self._folder(template, shard)}/part-{digest(data)}.parquet"
        self.lake.write_bytes(path, data)
        with self._lock:
            self._index(template).add(path, len(data), frame["call_id"])
        own = self._own[template, shard]
        own.append(path)
        if len(own) >= SMALL_PARTS:
            self._again(lambda: self._merge(template, shard, {*own} & {*self.paths(template, shard)}))
            own.clear()

    def compact(self, template: str, shard: str) -> None:
        """Merge those parts of a shard that are of similar size; safe at any moment of a crash, and beside readers.

        What is merged holds each call once. Each part left is over twice as large as all smaller ones together (unless
        it is small, or full), so a few new calls do not write a million old ones again, and parts stay few.
        """
        self._own.pop((template, shard), None)
        self._again(lambda: self._merge(template, shard, self._similar(self.paths(template, shard))))

    def _similar(self, paths: Sequence[str]) -> list[str]:
        sizes = sorted((self.lake.fs.size(path), path) for path in paths)
        sizes = [(size, path) for size, path in sizes if size < FULL_BYTES]
        return [path for _, path in sizes[: similar([size for size, _ in sizes], SMALL_BYTES)]]

    def _merge(self, template: str, shard: str, paths: Collection[str]) -> None:
        # Damage must not get into a part whose name fits it.
        whole = [path for path in sorted(paths) if self._is_whole(path)]
        keys = {path: found for path in whole if (found := self._keys(path))}
        if len(keys) < 2:
            return
        temporary = self.lake.temporary()
        try:
            merge_parts(self.lake.fs, keys, temporary)
            merged = f"{self._folder(template, shard)}/part-{file_digest(self.lake.fs, temporary)}.parquet"
            self.lake.commit(temporary, merged)
        finally:
            if self.lake.fs.exists(temporary):
                self.lake.fs.rm(temporary)
        for path in keys.keys() - {merged}:
            self._forget(path)
            with suppress(FileNotFoundError):  # another process merged it too
                self.lake.fs.rm(path)

    # Reading

    def held(self, template: str, call_ids: Sequence[str]) -> NDArray[np.bool_]:
        """Which of these calls of a template are in the ledger, whichever shard asked; aligned with `call_ids`."""
        with self._lock:
            return self._index(template).held(pl.Series("call_id", call_ids, pl.String()))

    def expire(self, template: str) -> None:
        """Trust no listing of the parts that was made before, as another process has stored calls since."""
        with self._lock:
            self._index(template).expire()

    def answers(self, template: str, call_ids: Sequence[str], columns: Sequence[str] = ANSWER) -> pl.DataFrame:
        """The held ones among these calls of a template, whichever shard asked; one row per id, in no order.

        Has the given columns of `CALLS`. An id that two processes raced for resolves to the earliest `created_at`,
        then `run_id`, then `shard`.
        """
        ids = pl.Series("call_id", call_ids, pl.String()).unique(maintain_order=True)
        return self._again(lambda: self._read(template, ids, columns))

    def lookup(self, template: str, call_ids: Sequence[str]) -> dict[str, Call]:
        """The same as `Call`s by id; absent ids are left out."""
        found = self.answers(template, call_ids, CALLS.polars.names())
        return {row[0]: Call(*row) for row in found.iter_rows()}

    def find(self, call_id: str) -> Call | None:
        """One call, of any template; None where it is not held."""
        held = (self.lookup(template, [call_id]).get(call_id) for template in self.templates())
        return min((call for call in held if call), key=lambda call: call.rank, default=None)

    def templates(self) -> list[str]:
        """The templates that calls are held of, sorted."""
        return sorted({path.rsplit("=", 1)[1] for path in self.lake.fs.glob(f"{self.root}/template=*")})

    def paths(self, template: str | None = None, shard: str | None = None) -> list[str]:
        """The parts that exist, sorted."""
        folder = f"template={check_key(template) if template else '*'}/shard={check_key(shard) if shard else '*'}"
        return sorted(self.lake.fs.glob(f"{self.root}/{folder}/part-*.parquet"))

    def scan(self) -> pl.LazyFrame:
        """All calls, as stored; a raced id may stand twice until its shard is compacted."""
        return self.lake.scan_paths(self.paths(), CALLS)

    def query(self, ask: Callable[[pl.LazyFrame], pl.LazyFrame]) -> pl.DataFrame:
        """What a query over all calls gives, streamed; a raced id may stand twice until its shard is compacted.

        Raises:
            PersonaAssetsError: a part cannot be read.
        """
        try:
            return ask(self.scan()).collect(engine="streaming")
        except pl.exceptions.PolarsError as error:
            said = str(error).splitlines()[0]
            raise PersonaAssetsError(
                f"{self.root}: a part cannot be read ({said}); a run sets damaged parts aside"
            ) from error

    def _read(self, template: str, call_ids: pl.Series, columns: Sequence[str]) -> pl.DataFrame:
        with self._lock:
            index = self._index(template)
            hits = self._earliest(index, call_ids, index.find(call_ids))
            names = ("call_id", *(name for name in columns if name != "call_id"))
            found = [self._rows(index, call_ids, some, names) for some in _by_part(hits)]
        return pl.concat([_NONE.select(names), *found]).select(columns)

    def _earliest(self, index: CallIndex, call_ids: pl.Series, hits: Hits) -> Hits:
        """One hit per id."""
        same = np.diff(hits.probe, prepend=-1) == 0
        if not same.any():
            return hits
        raced = np.isin(hits.probe, hits.probe[same])
        ranks = []
        for some in _by_part(hits[raced]):
            ranked = self._rows(index, call_ids, some, ("call_id", *RANK))
            place = {name: pl.Series(getattr(some, name)) for name in Hits.__slots__}
            ranks.append(ranked.with_columns(**place))
        first = pl.concat(ranks).sort(*RANK, "part", "row").unique("call_id", keep="first", maintain_order=True)
        chosen = Hits(*(first[name].to_numpy() for name in Hits.__slots__))
        once = hits[~raced]
        return Hits(*(np.concatenate([getattr(once, name), getattr(chosen, name)]) for name in Hits.__slots__))

    def _rows(self, index: CallIndex, call_ids: pl.Series, hits: Hits, columns: Sequence[str]) -> pl.DataFrame:
        """The calls of hits in one part, in their order."""
        path = index.path(int(hits.part[0]))
        frame = self._guard(path, partial(self._reader.rows, path, hits.row, columns))
        if frame is not None and frame["call_id"].equals(call_ids.gather(hits.probe)):
            return frame
        if frame is not None and self._is_whole(path):
            index.forget(path)
        raise _Gone

    def _index(self, template: str) -> CallIndex:
        if template not in self._indexes:
            self._indexes[template] = CallIndex(self.lake, template, self._set_aside)
        return self._indexes[template]

    def _keys(self, path: str) -> Keys | None:
        """The keys of a part's calls, in their order; None where it is damaged."""
        return self._guard(path, lambda: call_keys(read_ids(self.lake, path)))

    def _forget(self, path: str) -> None:
        with self._lock:
            self._reader.forget(path)

    def _again(self, read: Callable[[], T]) -> T:
        """Do `read`, anew where another process merged a part away in between, or where a part turned out damaged."""
        for again in count():
            try:
                return read()
            except _Gone:
                pass  # each time there is one damaged part less
            except FileNotFoundError:
                if again >= RELISTS:
                    raise
            with self._lock:
                for index in self._indexes.values():
                    index.expire()
        raise AssertionError

    # Damage

    def verify(self) -> list[str]:
        """Read every byte; parts that do not fit their name or cannot be read are set aside.

        Returns: all parts set aside, now or before, as paths below `<lake>/calls_corrupt`.
        """
        for path in self.paths():
            with suppress(FileNotFoundError):  # merged away since it was listed
                if self._is_whole(path):
                    self._keys(path)
        return self._aside()

    def damaged(self) -> list[DamagedPart]:
        """The parts that were set aside and not restored since, with the calls that were lost."""
        return [self._lost(path) for path in self._aside() if not self.lake.fs.exists(self._home(path))]

    def _lost(self, path: str) -> DamagedPart:
        try:
            with self.lake.fs.open(path, "rb") as file:
                calls = int(pq.ParquetFile(file).metadata.num_rows)
        except (pa.ArrowException, OSError):
            calls = None
        relative, home = (one.removeprefix(f"{self.lake.root}/") for one in (path, self._home(path)))
        return DamagedPart(relative, home, calls)

    def _aside(self) -> list[str]:
        return sorted(self.lake.fs.glob(f"{self.lake.root}/{CORRUPT}/*/*/*.parquet"))

    def _home(self, aside: str) -> str:
        return f"{self.root}{aside.removeprefix(f'{self.lake.root}/{CORRUPT}')}"

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
            if is_of_the_system(error):
                raise
            self._set_aside(path, str(error))
            return None

    def _set_aside(self, path: str, why: str) -> None:
        """Move a damaged part out of every reader's way.

        Raises:
            PersonaAssetsError: it is not damaged, its bytes fit its name: what cannot read it is this installation.
        """
        with suppress(FileNotFoundError):
            if path.endswith(f"/part-{file_digest(self.lake.fs, path)}.parquet"):
                raise PersonaAssetsError(
                    f"{path} is whole but cannot be read here ({why}): another version of this program or of pyarrow "
                    "wrote it; use that one, or move the file away to pay for its calls again"
                )
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
        return Template.of_prompt_part(orjson.loads(data))

    def _template_path(self, template_digest: str) -> str:
        if not _DIGEST.fullmatch(template_digest):
            raise PersonaAssetsError(f"{template_digest!r} is not a template digest (32 hexadecimal digits)")
        return f"{self.lake.root}/templates/{template_digest}.json"
