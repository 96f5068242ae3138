"""Whether the partitions that an audit passes through are what their records say: bytes, rows, gates, inputs."""

from functools import cached_property

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from persona_assets.checks.gates import run_gates
from persona_assets.errors import PersonaAssetsError
from persona_assets.lake import Lake, Table
from persona_assets.lake.content import ContentDigest
from persona_assets.lake.records import GateOutcome, Record
from persona_assets.lake.schemas import SHARD_FILES, Column
from persona_assets.lake.store import Draft
from persona_assets.lineage.model import Status, Verification, failed, unverified, verdict
from persona_assets.lineage.verify import Seals
from persona_assets.settings import Settings
from persona_assets.state import LakeState

NAMED = 3  # gates or inputs that a detail names
NO_RECORD = "no record of the partition can be read"


class Partitions:
    """Verifies partitions; each is read, and its gates run, once per audit."""

    def __init__(self, lake: Lake, settings: Settings, seals: Seals) -> None:
        """Bind to a lake; nothing is read yet."""
        self.lake, self.settings, self.seals = lake, settings, seals
        self._files: dict[str, list[Verification]] = {}
        self._gates: dict[tuple[str, str], Verification] = {}
        self._inputs: dict[tuple[str, str], Verification] = {}

    @cached_property
    def state(self) -> LakeState:
        """How partitions would be made now; records are looked up one by one."""
        return LakeState(self.lake, self.settings).now()

    def of(self, table: Table | None, key: str, path: str) -> list[Verification]:
        """Of the file at `path`, `file_untouched` and `content_recomputes`; of its partition, what its record says."""
        if path not in self._files:
            record = self.lake.record(table, key) if table else None
            self._files[path] = [self.seals.partition(path), self._content(table, record, path)]
        return self._files[path] + self._of_record(table, key)

    def _of_record(self, table: Table | None, key: str) -> list[Verification]:
        """`gates_hold` and `made_from_holds`; the files of a shard are registered, not made."""
        if table is None or table is SHARD_FILES:
            return []
        if (table.name, key) not in self._gates:
            self._gates[table.name, key] = self._gates_hold(table, key)
        return [self._gates[table.name, key], self._made_from(table, key)]

    def _content(self, table: Table | None, record: Record | None, path: str) -> Verification:
        """The rows of the file give the digest that its record holds, from which what is downstream was made."""
        name, subject = "content_recomputes", self.seals.relative(path)
        if table is None or record is None:
            return unverified(name, NO_RECORD, subject)
        stored = next((one for one in (record.rows, record.rejects) if one and path.endswith(f"/{one.name}")), None)
        if stored is None or not stored.content:
            return unverified(name, "its record, of an earlier version, holds no digest of the rows", subject)
        try:
            content = self._content_of(path, table)
        except (pa.ArrowException, pl.exceptions.PolarsError, OSError) as error:
            return unverified(name, f"it cannot be read: {str(error).splitlines()[0]}", subject)
        return verdict(
            name, content == stored.content, f"its rows have the digest {content}, not {stored.content}", subject
        )

    def _content_of(self, path: str, table: Table) -> str:
        """The digest of a file's rows, by the columns that it has: those of the table may have changed since."""
        with self.lake.fs.open(path, "rb") as file:
            schema = pl.read_parquet_schema(file)
            columns = tuple(Column(name, dtype, "") for name, dtype in schema.items())
            content = ContentDigest(Table(table.name, table.key, columns, volatile=table.volatile))
            file.seek(0)
            parquet = pq.ParquetFile(file)
            for group in range(parquet.num_row_groups):
                content.update(parquet.read_row_group(group))
        return content.hexdigest()

    def _gates_hold(self, table: Table, key: str) -> Verification:
        """The gates, run again on what is stored, say what the record says."""
        name, subject, record = "gates_hold", f"{table.name}/{key}", self.lake.record(table, key)
        if record is None:
            return unverified(name, NO_RECORD, subject)
        if not record.gates:
            return unverified(name, "its record, of an earlier version, holds no gates", subject)
        rejects = self.lake.rejects_path(table, key)
        draft = Draft(table, key, self.lake.url(self.lake.path(table, key)), rejects and self.lake.url(rejects))
        try:
            outcomes = {gate.name: gate.failing for gate in self._run_gates(draft)}
        except (duckdb.Error, pl.exceptions.PolarsError, PersonaAssetsError, OSError) as error:
            return unverified(name, f"they cannot be run: {str(error).splitlines()[0]}", subject)
        recorded = {gate.name: gate.failing for gate in record.gates}
        different = [gate for gate in {**recorded, **outcomes} if recorded.get(gate) != outcomes.get(gate)]
        if not different:
            return verdict(name, True, "", subject)
        if table.name not in self.state.assets or record.judged_by != self.state.judged_by(table.name):
            return unverified(name, "the gates, or their thresholds, have changed since", subject)
        said = "; ".join(
            f"{gate}: {_rows(recorded.get(gate))} in the record, {_rows(outcomes.get(gate))} now"
            for gate in different[:NAMED]
        )
        # What gates look at beside the partition itself may have been made anew since.
        if self._is_settled(table.name, key):
            return failed(name, said, subject)
        return unverified(name, f"what it was made from has changed since; {said}", subject)

    def _run_gates(self, draft: Draft) -> list[GateOutcome]:
        around = self.state.around(draft.table.name) if draft.table.name in self.state.assets else None
        return run_gates(self.lake, draft, self.settings, around)

    def _is_settled(self, asset: str, key: str) -> bool:
        """Whether a partition, and those above it that its gates may look at, stand as they were made from."""
        declared = self.state.assets.get(asset)
        if declared is None or self._made_from(declared.table, key).status is not Status.OK:
            return False
        for name, one in self.state.parents(asset, key) if declared.table.partition != "dump" else ():
            above = self.state.assets[name].table
            if above.partition == declared.table.partition:
                if not self._is_settled(name, one):
                    return False
            elif self._made_from(above, one).status is not Status.OK:
                return False
        return True

    def _made_from(self, table: Table, key: str) -> Verification:
        """What the partition was made from has the content now that it had then."""
        if (table.name, key) not in self._inputs:
            self._inputs[table.name, key] = self._made_from_holds(table, key)
        return self._inputs[table.name, key]

    def _made_from_holds(self, table: Table, key: str) -> Verification:
        name, subject, record = "made_from_holds", f"{table.name}/{key}", self.lake.record(table, key)
        if record is None:
            return unverified(name, NO_RECORD, subject)
        if not record.made_from:
            return unverified(name, "its record, of an earlier version, does not say what it was made from", subject)
        if table.name not in self.state.assets:
            return unverified(name, "its asset is not declared any more", subject)
        now = self.state.inputs_of(record)
        different = [one for one in {**record.made_from, **now} if record.made_from.get(one) != now.get(one)]
        if not different:
            return verdict(name, True, "", subject)
        more = f" and {len(different) - NAMED} more" if len(different) > NAMED else ""
        said = ", ".join(different[:NAMED]) + more
        never = [one for one in different if self._never_other(one, record)]
        if never:
            return failed(name, f"{never[0]} was never anything else, but the record names another content", subject)
        return unverified(name, f"made from an earlier version of {said}", subject)

    def _never_other(self, name: str, record: Record) -> bool:
        """Whether an input stands as it was first committed, before the partition: then it had no earlier version."""
        asset, _, key = name.partition("/")
        declared = self.state.assets.get(asset)
        if name not in record.made_from or declared is None or declared.data:
            return False  # of a data file nobody keeps what it was
        found = self.lake.record(self.state.assets[asset].table, key)
        return found is not None and found.generation == 1 and found.committed_at < record.committed_at


def _rows(failing: int | None) -> str:
    return "absent" if failing is None else f"{failing:,} failing rows" if failing else "passed"
