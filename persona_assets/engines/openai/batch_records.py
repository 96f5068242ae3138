"""What the lake knows of batches at a server: which questions each one answers, so that none is paid for twice.

`<lake>/batches/<name>.json`, one file per batch, written before the batch is made and removed when its answers are in
the ledger. It holds ids only: no key, no prompt. A file that a crash left behind is harmless, and goes when it is old.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import orjson

from persona_assets.errors import PersonaAssetsError
from persona_assets.ids import canonical_json, digest
from persona_assets.lake import Lake

FOLDER = "batches"
KEPT = timedelta(days=31)  # OpenAI deletes the files of a batch after 30 days


@dataclass(frozen=True, slots=True)
class Record:
    """One batch: an empty `batch_id` says that it was about to be made from `input_file`."""

    name: str
    base_url: str
    model: str
    input_file: str
    batch_id: str
    created_at: str  # ISO 8601, UTC
    call_ids: tuple[str, ...]  # those whose answers have not been handed over yet

    @property
    def since(self) -> float:
        """`created_at` in Unix seconds."""
        return datetime.fromisoformat(self.created_at).timestamp()


class Records:
    """The records of one server and model; holds the ids of their calls in memory."""

    def __init__(self, lake: Lake, base_url: str, model: str) -> None:
        """Bind to a lake; nothing is read yet."""
        self.lake, self.base_url, self.model = lake, base_url, model
        self.records: dict[str, Record] = {}
        self._holder: dict[str, str] = {}  # call id -> name of its record
        self._seen: set[str] = set()

    def path(self, name: str) -> str:
        """Where a record is kept."""
        return f"{self.lake.root}/{FOLDER}/{name}.json"

    def refresh(self) -> None:
        """Read the records that were written since the last time, by any run; old ones are removed.

        Raises:
            PersonaAssetsError: a file is damaged.
        """
        for path in sorted(self.lake.fs.glob(self.path("*"))):
            if path not in self._seen:
                self._seen.add(path)
                with suppress(FileNotFoundError):  # another run has had its answers
                    self._take(self._read(path), path)

    def holder(self, call_id: str) -> Record | None:
        """The record of the batch that answers a call, or None."""
        return self.records.get(self._holder.get(call_id, ""))

    def make(self, input_file: str, call_ids: Iterable[str]) -> Record:
        """Write that a batch is about to be made of an uploaded file."""
        ids = tuple(call_ids)
        name = digest(canonical_json([self.base_url, self.model, sorted(ids)]))
        record = Record(name, self.base_url, self.model, input_file, "", datetime.now(UTC).isoformat(), ids)
        self._write(record)
        return record

    def made(self, record: Record, batch_id: str) -> Record:
        """Write which batch was made."""
        record = replace(record, batch_id=batch_id)
        self._write(record)
        return record

    def settle(self, record: Record, call_ids: set[str]) -> None:
        """Take calls out of a record, whose answers are in the ledger; the last ones take the file with them."""
        left = tuple(call_id for call_id in record.call_ids if call_id not in call_ids)
        if not left:
            self.remove(record)
            return
        for call_id in call_ids:
            self._holder.pop(call_id, None)
        record = replace(record, call_ids=left)
        self.records[record.name] = record
        if self.lake.fs.exists(self.path(record.name)):  # else another run has had all its answers
            self._write(record)

    def remove(self, record: Record) -> None:
        """Forget a batch that holds nothing to fetch."""
        self.records.pop(record.name, None)
        for call_id in record.call_ids:
            self._holder.pop(call_id, None)
        with suppress(FileNotFoundError):
            self.lake.fs.rm(self.path(record.name))

    def _read(self, path: str) -> Record:
        try:
            value = orjson.loads(self.lake.fs.cat_file(path))
            record = Record(**{**value, "call_ids": tuple(value["call_ids"])})
            datetime.fromisoformat(record.created_at)
        except (ValueError, TypeError, KeyError) as error:
            raise PersonaAssetsError(
                f"{path} is not a record of a batch ({error}); restore it, or delete it to ask its questions again"
            ) from error
        return record

    def _take(self, record: Record, path: str) -> None:
        if datetime.now(UTC) - datetime.fromisoformat(record.created_at) > KEPT:
            self.lake.fs.rm(path)
        elif (record.base_url, record.model) == (self.base_url, self.model):
            self._hold(record)

    def _write(self, record: Record) -> None:
        path = self.path(record.name)
        self._seen.add(path)
        self.lake.write_bytes(path, orjson.dumps(record))
        self._hold(record)

    def _hold(self, record: Record) -> None:
        self.records[record.name] = record
        self._holder.update(dict.fromkeys(record.call_ids, record.name))
