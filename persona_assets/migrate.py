"""Brings a lake of format 1 up to format 2, in place and without a model call.

Partition by partition, each after what it was made from: the new files are put in place, then the record, then the old
files go. Rows keep their bytes under a new name. Whatever is cut off is done again by the next call, which finds in
`_commits/`, the last to go, all that it needs. A partition that did not stand whole in format 1 gets a record that says
so, or has its damaged files set aside; the next run makes it again.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from persona_assets.checks.gates import gate_names, run_gates_against_upstream
from persona_assets.dedup.seals import seals
from persona_assets.engines.base import FINAL_FAULTS, PASSING_REJECTS
from persona_assets.errors import PersonaAssetsError
from persona_assets.ids import digest
from persona_assets.lake import Column, Lake, Table, format1
from persona_assets.lake.content import ContentDigest
from persona_assets.lake.durable import create_once, remove, sync_path
from persona_assets.lake.format import OLD_FOLDER, check_not_newer
from persona_assets.lake.format1 import OldCommit, OldPartition
from persona_assets.lake.records import AS_MADE_BY, GateOutcome, Record, StoredFile, record_path
from persona_assets.lake.schemas import (
    CALLS,
    CONTENT_DIGESTS,
    DEDUPED_PERSONAS,
    FILTERED_PERSONAS,
    PERSONA_SURVIVORS,
    SHARD_FILES,
)
from persona_assets.lake.store import Draft, RejectsWriter, file_digest
from persona_assets.ledger.index import is_of_the_system
from persona_assets.ledger.ledger import CORRUPT
from persona_assets.ledger.part_files import columns_of, rename_columns
from persona_assets.progress import Stages
from persona_assets.settings import Settings
from persona_assets.state import LakeState

COMPLETE = "complete_in_format_1"  # the gate that a partition fails which did not stand whole
ASIDE = "damaged"  # folder of files that cannot be used
_SUPPORT = (SHARD_FILES, CONTENT_DIGESTS)
_WITHOUT_REJECTS = frozenset({SHARD_FILES.name, CONTENT_DIGESTS.name, PERSONA_SURVIVORS.name})
_CHANGED = "changed since"  # in place of a content digest: what was read is not what is there now


@dataclass(frozen=True)
class NotDone:
    """A partition that the next run makes again, and why."""

    asset: str
    partition: str
    why: str


@dataclass
class Migration:
    """What a migration did, and what it left for the next run."""

    partitions: dict[str, int] = field(default_factory=dict)  # by asset
    parts: int = 0  # of the ledger
    calls: int = 0
    not_done: list[NotDone] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class _Rows:
    """A file of rows that was read from end to end: what the record says of it, and what is wrong with it."""

    stored: StoredFile
    reasons: tuple[str, ...] = ()


class _Damaged(Exception):
    """A file cannot be used; the argument says why."""


def is_old(lake: Lake) -> bool:
    """Whether a lake is of format 1, or its migration has not ended."""
    return bool(lake.fs.exists(f"{lake.root}/{OLD_FOLDER}"))


def migrate(lake: Lake, settings: Settings, progress: Stages = lambda *_: None) -> Migration:
    """Bring a lake up to format 2. No other run may use it meanwhile.

    A lake of format 2 is left as it is, but for parts of the ledger that were restored from a backup of format 1.

    Raises:
        OtherFormat: a newer version made the lake.
        PersonaAssetsError: a seal is damaged; nothing was changed.
    """
    began = time.monotonic()
    check_not_newer(lake)
    seals(lake)
    done = _Migrator(lake, settings, progress).run()
    done.seconds = time.monotonic() - began
    return done


class _Migrator:
    def __init__(self, lake: Lake, settings: Settings, progress: Stages) -> None:
        self.lake, self.settings, self.progress = lake, settings, progress
        self.done = Migration()
        self.state = LakeState(lake, settings)
        self.sealed = format1.sealed(lake)

    def run(self) -> Migration:
        self._ledger()
        if not is_old(self.lake):
            return self.done
        old = format1.partitions(self.lake)
        for number, one in enumerate(sorted(old, key=self._order())):
            self.progress("partitions", number, len(old))
            self._bring(one)
        for orphan in format1.orphaned_rejects(self.lake):
            self._set_aside(orphan, orphan.rejects, "its rows are missing, so its rejects count for nothing")
        self._what_is_left()
        self._end()
        return self.done

    def _order(self) -> Callable[[OldPartition], tuple[int, int, str, str]]:
        """Each after what it was made from: manifests first, dumps in the order of their seals, unknown assets last."""
        names = [*(table.name for table in _SUPPORT), *self.state.assets]
        rank = {name: place for place, name in enumerate(names)}
        seal = {one.dump: one.seal for one in seals(self.lake)}
        last = len(seal) + 1

        def order(one: OldPartition) -> tuple[int, int, str, str]:
            place = seal.get(one.key, last) if one.asset == PERSONA_SURVIVORS.name else 0
            return rank.get(one.asset, len(rank)), place, one.asset, one.key

        return order

    # One partition

    def _bring(self, old: OldPartition) -> None:
        try:
            if self.lake.records.next_generation(old.asset, old.key) == 1:
                self._make(old)
            else:
                self._check_made(old)
        except FileNotFoundError:
            if self.lake.fs.exists(old.data):  # else another migration, beside this one, has brought it up
                raise
            return
        if self.lake.records.next_generation(old.asset, old.key) > 1:
            remove(self.lake, old.rejects)
            remove(self.lake, old.data)  # the last, as by it a partition is found again that was not finished

    def _make(self, old: OldPartition) -> None:
        """New files, then the record; nothing where the rows are damaged, which are set aside then."""
        commit = format1.commit_of(self.lake, old.data)
        try:
            table, rows = self._rows(old, commit)
        except _Damaged as damage:
            if self.lake.fs.exists(old.rejects):
                self._move_aside(old, old.rejects)
            self._set_aside(old, old.data, str(damage))
            return
        reasons = list(rows.reasons)
        self._link(old.data, f"{self.lake.folder(table, old.key)}/{rows.stored.name}")
        rejects, counts = self._rejects(old, table, commit, reasons)
        made_from = self._made_from(old, table)
        gates = self._gates(old, table, commit, reasons)
        if not reasons and all(gate.passed for gate in gates) and self._may_not_fit(commit, made_from):
            again = {gate.name: gate for gate in self._gates_now(old, table, rows.stored, rejects)}
            gates = [again.get(gate.name, gate) for gate in gates]
        if reasons:
            gates.append(GateOutcome(COMPLETE, len(reasons), [{"why": reason} for reason in reasons]))
        record = Record(
            asset=old.asset,
            column=old.column,
            partition=old.key,
            generation=1,
            rows=rows.stored,
            rejects=rejects,
            reasons=dict(sorted(counts.items())),
            made_from=dict(sorted(made_from.items())),
            recipe={AS_MADE_BY: format1.VERSION},
            judged_by="",
            gates=tuple(gates),
            run_id=commit.run_id if commit else "",
            committed_at=commit.committed_at if commit else "",
            versions={"persona-assets": format1.VERSION},
        )
        with suppress(FileExistsError):  # another migration beside this one
            create_once(self.lake, record_path(self.lake.root, old.asset, old.key, 1), record.as_json())
        self.done.partitions[old.asset] = self.done.partitions.get(old.asset, 0) + 1

    def _check_made(self, old: OldPartition) -> None:
        """A record is there: the old files may go if its own are.

        Raises:
            PersonaAssetsError: they are not.
        """
        record = self.lake.records.latest(old.asset, old.key)
        if record is None:
            return
        table = self._table(old)
        if fault := self.lake.fault(table, record):
            path = record_path(self.lake.root, old.asset, old.key, record.generation)
            raise PersonaAssetsError(
                f"{old.asset} {old.key}: {fault}, while {old.data} is still there; delete {path} and migrate again"
            )

    def _table(self, old: OldPartition) -> Table:
        """The table as it is declared now; one made from the file for an asset that these settings do not know."""
        for table in _SUPPORT:
            if table.name == old.asset:
                return table
        if old.asset in self.state.assets:
            return self.state.assets[old.asset].table
        return self._as_stored(old)

    def _as_stored(self, old: OldPartition) -> Table:
        names = self._schema(old)
        key = next((name for name in ("sample_id", "persona_id", "document_id") if name in names), next(iter(names)))
        columns = tuple(Column(name, dtype, "", nullable=True) for name, dtype in names.items())
        return Table(old.asset, key, columns, partition=old.column)

    def _schema(self, old: OldPartition) -> dict[str, pl.DataType]:
        try:
            with self.lake.fs.open(old.data, "rb") as file:
                schema = pq.ParquetFile(file).schema_arrow
        except (pa.ArrowException, OSError) as error:
            if is_of_the_system(error):
                raise
            raise _Damaged(f"its file cannot be read ({error})") from error
        return dict(pl.DataFrame(pl.from_arrow(schema.empty_table())).schema)

    def _rows(self, old: OldPartition, commit: OldCommit | None) -> tuple[Table, _Rows]:
        """Read a partition's rows.

        Raises:
            _Damaged: they cannot be read, or are not what was committed.
        """
        sha256, name = self._digests(old.data)
        if commit and commit.sha256 != sha256:
            raise _Damaged(f"the bytes of its file are not those that run {commit.run_id} wrote")
        stored = self._schema(old)
        table = self._table(old)
        reasons = [] if commit or table in _SUPPORT else ["it has no commit record"]
        differing = [
            f"column {name} is {stored[name]}, and {dtype} in this version"
            for name, dtype in table.polars.items()
            if name in stored and stored[name] != dtype
        ]
        reasons += differing
        # By the columns that the file has: those that came later are no part of what was written.
        columns = tuple(Column(name, dtype, "") for name, dtype in stored.items())
        content, rows = ContentDigest(Table(table.name, table.key, columns, volatile=table.volatile)), 0
        for some in self._groups(old.data):
            content.update(some)
            rows += some.num_rows
        size = int(self.lake.fs.size(old.data))
        return table, _Rows(StoredFile(name, size, rows, content.hexdigest()), tuple(reasons))

    def _digests(self, path: str) -> tuple[str, str]:
        """sha256 of a file's bytes, and the name that they give it now."""
        sha256, blake = hashlib.sha256(), hashlib.blake2b(digest_size=16)
        with self.lake.fs.open(path, "rb") as file:
            while block := file.read(1 << 20):
                sha256.update(block)
                blake.update(block)
        return sha256.hexdigest(), f"{blake.hexdigest()}.parquet"

    def _groups(self, path: str) -> Iterator[pa.Table]:
        """A file's rows, a row group at a time.

        Raises:
            _Damaged: they cannot be read.
        """
        try:
            with self.lake.fs.open(path, "rb") as file:
                parquet = pq.ParquetFile(file)
                for group in range(parquet.num_row_groups):
                    yield parquet.read_row_group(group)
        except (pa.ArrowException, OSError, ValueError) as error:
            if is_of_the_system(error):
                raise
            raise _Damaged(f"its file cannot be read ({error})") from error

    def _link(self, old: str, new: str) -> None:
        """Give a file a second name, durably."""
        if not self.lake.is_local:
            self.lake.fs.copy(old, new)
            return
        sync_path(old)
        with suppress(FileExistsError):
            Path(new).hardlink_to(old)
        sync_path(new.rpartition("/")[0])

    def _rejects(
        self, old: OldPartition, table: Table, commit: OldCommit | None, reasons: list[str]
    ) -> tuple[StoredFile | None, dict[str, int]]:
        """Write the rejects under their new column; what is wrong with them goes to `reasons`."""
        if not self.lake.fs.exists(old.rejects):
            if old.asset not in _WITHOUT_REJECTS:
                reasons.append("its rejects are gone")
            return None, {}
        known = format1.commit_of(self.lake, old.rejects)
        with self.lake.scratch("migrate") as folder:
            writer = RejectsWriter(Path(folder) / "rejects")
            try:
                if known is None or known.sha256 != self._digests(old.rejects)[0]:
                    raise _Damaged("their bytes are not those that were committed")
                for some in self._groups(old.rejects):
                    writer.append(pl.DataFrame(pl.from_arrow(some)).rename(format1.RENAMED))
            except (_Damaged, pl.exceptions.PolarsError, ValueError) as damage:
                writer.close()
                reasons.append(f"its rejects are damaged: {damage}")
                self._move_aside(old, old.rejects)
                return None, {}
            writer.close()
            if commit and known.run_id != commit.run_id:
                reasons.append("its rows and its rejects are of two runs")
            self._faults(writer.reasons, reasons)
            if not writer.rows:
                return None, {}
            stored = writer.described()
            self.lake.place(writer.path, f"{self.lake.rejects_folder(table, old.key)}/{stored.name}")
        return stored, writer.reasons

    @staticmethod
    def _faults(counts: Mapping[str, int], reasons: list[str]) -> None:
        """Faults that this version would not take for final, and does not know by name."""
        final = {f"engine_{fault}" for fault in FINAL_FAULTS}
        for name, count in counts.items():
            if name.startswith("engine_") and name not in PASSING_REJECTS | final:
                reasons.append(f"{count:,} questions without an answer ({name})")

    def _gates(
        self, old: OldPartition, table: Table, commit: OldCommit | None, reasons: list[str]
    ) -> list[GateOutcome]:
        """The gates as they were run on these very rows; those that were not are among the reasons."""
        if table in _SUPPORT:
            return []
        gates = format1.gates_of(self.lake, old.asset, old.key, commit.run_id) if commit else []
        wanted = gate_names(table) if old.asset in self.state.assets else [gate.name for gate in gates] or ["any"]
        gates += [GateOutcome(name, 0, []) for name in wanted if commit and name in format1.LATER_GATES]
        missing = [name for name in dict.fromkeys(wanted) if name not in {gate.name for gate in gates}]
        if commit and missing:
            reasons.append("gates without a result: " + ", ".join(missing))
        return gates

    def _may_not_fit(self, commit: OldCommit | None, made_from: Mapping[str, str]) -> bool:
        """Whether something that was read may have been written anew since: it is there, and of another run."""
        pairs = [name.split("/", 1) for name in made_from if not name.startswith(SHARD_FILES.name)]
        above = [self.lake.records.latest(asset, key) for asset, key in pairs]
        found = [record for record in above if record]
        if len(found) < len(above):  # what is missing is made anew, and then all that reads it is compared with it
            return False
        return any(commit is None or record.run_id != commit.run_id for record in found)

    def _gates_now(
        self, old: OldPartition, table: Table, rows: StoredFile, rejects: StoredFile | None
    ) -> list[GateOutcome]:
        """Those gates that look at what stands upstream now, which may have been written anew since they passed."""
        lake = self.lake
        files = [f"{lake.folder(table, old.key)}/{rows.name}"]
        if rejects:
            files.append(f"{lake.rejects_folder(table, old.key)}/{rejects.name}")
        with lake.scratch("migrate") as folder:
            if not lake.is_local:
                for number, path in enumerate(files):
                    files[number] = f"{folder}/{number}"
                    lake.fs.get_file(path, files[number])
            return run_gates_against_upstream(lake, Draft(table, old.key, files[0], files[1] if rejects else None))

    # What it was made from

    def _made_from(self, old: OldPartition, table: Table) -> dict[str, str]:
        """What its inputs are now; of survivors those that are not what was compared are marked."""
        if table in _SUPPORT:
            return {}
        if old.asset not in self.state.assets:
            record = self.lake.record(DEDUPED_PERSONAS, old.key)  # which every task of format 1 read, and nothing else
            return {f"{DEDUPED_PERSONAS.name}/{old.key}": record.rows.content} if record else {}
        inputs = self.state.now().inputs(old.asset, old.key)
        if (asset := self.state.assets[old.asset]).is_task:  # format 1 had no named sets that a task could look into
            inputs = {name: content for name, content in inputs.items() if name.partition("/")[0] == asset.reads[0]}
        if table is PERSONA_SURVIVORS:
            inputs |= {name: _CHANGED for name in self._not_compared(old.key)}
        return inputs

    def _not_compared(self, dump: str) -> Iterator[str]:
        """Of what survivors are made from, what has changed since by what format 1 noted."""
        seal = self.sealed.get(dump)
        if seal:
            for shard in seal.digests:
                if not self._is_as_sealed(seal, shard):
                    yield f"{FILTERED_PERSONAS.name}/{shard}"
        note = format1.comparison(self.lake, dump)
        if note:
            dumps = [one.dump for one in seals(self.lake)]
            earlier = {one: self._kept(one) for one in dumps[: dumps.index(dump)]} if dump in dumps else {}
            for one in sorted(earlier.keys() | note["against"].keys()):
                if earlier.get(one) != note["against"].get(one):
                    yield f"{PERSONA_SURVIVORS.name}/{one}"

    def _is_as_sealed(self, seal: format1.OldSeal, shard: str) -> bool:
        old = format1.partition(self.lake, FILTERED_PERSONAS.name, FILTERED_PERSONAS.partition, shard)
        commit = format1.commit_of(self.lake, old.data)
        if commit and commit.sha256 == seal.files.get(shard):
            return True
        ids = self.lake.scan(FILTERED_PERSONAS, [shard]).select(pl.col("persona_id").sort()).collect()["persona_id"]
        return digest("\n".join(ids.to_list()).encode()) == seal.digests[shard]

    def _kept(self, dump: str) -> str:
        """Digest of a dump's surviving ids, as noted where the note is of the file that stands."""
        old = format1.partition(self.lake, PERSONA_SURVIVORS.name, PERSONA_SURVIVORS.partition, dump)
        note, commit = format1.comparison(self.lake, dump), format1.commit_of(self.lake, old.data)
        if note and commit and note["file"] == commit.sha256:
            return str(note["kept"])
        kept = self.lake.scan(PERSONA_SURVIVORS, [dump]).filter("kept").select("persona_id").collect()["persona_id"]
        return digest("\n".join(kept.sort()).encode())

    # Damage

    def _set_aside(self, old: OldPartition, path: str, why: str) -> None:
        aside = self._move_aside(old, path)
        self.done.not_done.append(NotDone(old.asset, old.key, f"{why}; the file is now {aside}"))

    def _move_aside(self, old: OldPartition, path: str) -> str:
        kind = "rejected/" if path == old.rejects else ""
        aside = f"{self.lake.root}/{ASIDE}/{kind}{old.asset}/{old.key}/{file_digest(self.lake.fs, path)}.parquet"
        self.lake.commit(path, aside)
        return aside

    # The ledger

    def _ledger(self) -> None:
        """Give the parts of format 1 their new column.

        A part stands there twice until the old one goes, which does no harm.
        """
        paths = sorted(self.lake.fs.glob(f"{self.lake.root}/{CALLS.name}/template=*/shard=*/part-*.parquet"))
        for number, path in enumerate(paths):
            self.progress("parts of the ledger", number, len(paths))
            try:
                if format1.RENAMED.keys() & set(columns_of(self.lake.fs, path)):
                    self._part(path)
            except FileNotFoundError:
                continue  # another migration beside this one
            except (pa.ArrowException, OSError) as error:
                if is_of_the_system(error):
                    raise
                self._part_aside(path, str(error))

    def _part(self, path: str) -> None:
        if not path.endswith(f"/part-{file_digest(self.lake.fs, path)}.parquet"):
            self._part_aside(path, "its bytes do not fit its name")
            return
        temporary = self.lake.temporary()
        try:
            calls = rename_columns(self.lake.fs, path, temporary, format1.RENAMED)
            name = f"part-{file_digest(self.lake.fs, temporary)}.parquet"
            if self.lake.is_local:
                sync_path(temporary)
            self.lake.commit(temporary, f"{path.rpartition('/')[0]}/{name}")
        finally:
            remove(self.lake, temporary)
        if self.lake.is_local:
            sync_path(path.rpartition("/")[0])
        remove(self.lake, self._corrupt(path))  # the damaged copy of one that was restored
        remove(self.lake, path)
        self.done.parts += 1
        self.done.calls += calls

    def _part_aside(self, path: str, why: str) -> None:
        aside = self._corrupt(path)
        self.lake.commit(path, aside)
        self.done.notes.append(
            f"{path} was damaged ({why}) and is now {aside}: restore it from a backup and migrate again, or the next "
            "run pays for its calls again"
        )

    def _corrupt(self, path: str) -> str:
        return f"{self.lake.root}/{CORRUPT}{path.removeprefix(f'{self.lake.root}/{CALLS.name}')}"

    # The end

    def _end(self) -> None:
        """Remove what only format 1 had. Its commit records go last: as long as they are there, there is more to do."""
        root = self.lake.root
        for complete in self.lake.fs.glob(f"{root}/segments/scheme=*/dump=*/of=*/complete.json"):
            note = self.lake.fs.cat_file(complete)
            if b'"digest"' not in note:
                self._remove_folder(complete.rpartition("/")[0])
        for folder in (format1.COMPARED, format1.CHECKS):
            self._remove_folder(f"{root}/{folder}")
        if self.lake.is_local:
            for emptied in (*Path(root, "rejected").glob("hop=*"), *Path(root, "segments").glob("*")):
                _remove_empty(emptied)
        self.lake.declare()
        if self.lake.fs.exists(f"{root}/catalog.duckdb"):
            self.done.notes.append(
                f"{root}/catalog.duckdb has views of the old files: `persona-assets catalog` writes it again"
            )
        self._remove_folder(f"{root}/{OLD_FOLDER}")

    def _remove_folder(self, folder: str) -> None:
        """Remove a folder; a local one is out of sight in one step."""
        if not self.lake.fs.exists(folder):
            return
        if self.lake.is_local:
            aside = self.lake.temporary()
            Path(folder).rename(aside)
            sync_path(folder.rpartition("/")[0])
            folder = aside
        with suppress(FileNotFoundError):
            self.lake.fs.rm(folder, recursive=True)

    def _what_is_left(self) -> None:
        """All that the next run makes again, also where an earlier call of this migration found it."""
        told = {(one.asset, one.partition) for one in self.done.not_done}
        self.state.refresh()
        for asset in self.lake.records.assets():
            for key, record in self.lake.records.all(asset).items():
                if isinstance(record, Record) and AS_MADE_BY in record.recipe and (why := self._why(record)):
                    self.done.not_done.append(NotDone(asset, key, why))
                    told.add((asset, key))
        for path in sorted(self.lake.fs.glob(f"{self.lake.root}/{ASIDE}/*/*/*.parquet")):
            asset, key = path.rsplit("/", 3)[1:3]
            if (asset, key) not in told and asset in self.state.assets and not self.state.now().of(asset, key).record:
                self.done.not_done.append(NotDone(asset, key, f"its file was damaged and is now {path}"))
                told.add((asset, key))
        unknown = sorted(set(self.done.partitions) - set(self.state.assets) - {table.name for table in _SUPPORT})
        for asset in unknown:
            self.done.notes.append(
                f"{asset} is not an asset under these settings; its partitions were brought up all the same, and are "
                "seen once PERSONA_TASKS names the folder of its task file"
            )

    def _why(self, record: Record) -> str:
        whys = [str(row["why"]) for gate in record.gates if gate.name == COMPLETE for row in gate.head]
        failed = [name for name in record.failed if name != COMPLETE]
        if failed:
            whys.append("gates not passed: " + ", ".join(failed))
        passing = sum(count for reason, count in record.reasons.items() if reason in PASSING_REJECTS)
        if passing:
            whys.append(f"{passing:,} questions without an answer")
        before = f"{SHARD_FILES.name}/before "  # of the first shard there is nothing
        changed = [
            name for name, then in record.made_from.items() if then in ("", _CHANGED) and not name.startswith(before)
        ]
        if changed:
            whys.append(f"made from another {changed[0]}" + (f" and {len(changed) - 1} more" * (len(changed) > 1)))
        return "; ".join(whys)


def _remove_empty(folder: Path) -> None:
    """Remove a folder and those in it as far as they are empty."""
    for one in sorted((*folder.rglob("*"), folder), key=lambda path: len(path.parts), reverse=True):
        if one.is_dir():
            with suppress(OSError):
                one.rmdir()
