"""The audit: from a row up to its crawl records, every link verified (data contract 3 and 4)."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import polars as pl

from persona_assets.lake import Lake, Parent
from persona_assets.lake.schemas import (
    CALL_COLUMNS,
    CALLS,
    DEDUPED_PERSONAS,
    RAW_DOCUMENTS,
    REJECTED,
    RUN_COLUMNS,
    SAMPLE_COLUMNS,
    SHARD_FILES,
)
from persona_assets.lake.store import dump_of
from persona_assets.lineage import accounting as fate
from persona_assets.lineage import verify
from persona_assets.lineage.calls import MALFORMED, CallAuditor, Prompt
from persona_assets.lineage.computed import Computed
from persona_assets.lineage.crawl_record import crawl_node
from persona_assets.lineage.data_file import data_node
from persona_assets.lineage.find import BORN, PASSED_ON, Finder, Found, locate
from persona_assets.lineage.model import (
    Audit,
    CallRecord,
    CheckResult,
    Node,
    Verification,
    failed,
    unverified,
    verdict,
)
from persona_assets.lineage.partitions import Partitions
from persona_assets.lineage.steps import Steps
from persona_assets.settings import Settings
from persona_assets.steps.model import refs_of


def audit(lake: Lake, settings: Settings, row_id: str) -> Audit:
    """The ancestry of a document, persona, sample, call or rejected row, each link verified. Writes nothing.

    Raises:
        UsageError: malformed id.
        PersonaAssetsError: the id is nowhere in the lake, or a file on the way cannot be read at all.
    """
    [found] = audits(lake, settings, [row_id])
    return found


def audits(lake: Lake, settings: Settings, row_ids: Iterable[str]) -> Iterator[Audit]:
    """The same for several rows; a partition or a row that they have in common is verified once.

    Raises:
        UsageError, PersonaAssetsError: as `audit`.
    """
    auditor = _Auditor(lake, settings)
    for row_id in row_ids:
        yield Audit(row_id, auditor.node(locate(auditor.finder, row_id)))


Parses = Callable[[Found, CallRecord, Prompt], list[Verification]]
SOME = 3  # rows that are audited of those of a partition that a row was made from as a whole
_SHARED = frozenset(column.name for column in (*SAMPLE_COLUMNS, *CALL_COLUMNS, *RUN_COLUMNS))


class _Auditor:
    """Builds the nodes of one audit; a row met twice is audited once."""

    def __init__(self, lake: Lake, settings: Settings) -> None:
        self.lake, self.settings = lake, settings
        self.steps = Steps.of(settings)
        self.finder = Finder(lake, self.steps.task_tables)
        self.seals = verify.Seals(lake)
        self.partitions = Partitions(lake, settings, self.seals)
        self.calls = CallAuditor(self.finder, self.steps, self.seals)
        self.computed = Computed(self.lake, self.steps, settings)
        self.known: dict[str, Node] = {}

    def node(self, found: Found) -> Node:
        """The node of a row of any table, with its ancestors."""
        key = f"{found.table.name} {found.row[found.table.key]}"
        if key not in self.known:
            kinds: dict[str, tuple[str, Callable[[Node, Found], None]]] = {
                RAW_DOCUMENTS.name: ("document", self._document),
                REJECTED.name: ("rejected", self._rejected),
                CALLS.name: ("call", self._call),
                **{table.name: ("sample", self._sample) for table in self.finder.tasks},
                **{name: ("data row", self._data_row) for name in self.steps.data},
            }
            kind, fill = kinds.get(found.table.name, ("persona", self._persona))
            # Known before it is filled: rows that name each other as parents must not make an endless chain.
            node = self.known[key] = self._begin(kind, found)
            fill(node, found)
        return self.known[key]

    def _begin(self, kind: str, found: Found) -> Node:
        row = found.row
        node = Node(kind, str(row[found.table.key]), found.asset, found.partition, row, _text(found))
        node.checks = self._checks(found.asset, found.partition)
        if found.table is not CALLS:
            node.verifications += self._stored(found)
        return node

    def _stored(self, found: Found) -> list[Verification]:
        """Whether the file of a row, and its partition, are what the record says."""
        return self.partitions.of(self.finder.table(found.asset), found.partition, found.path)

    def _checks(self, asset: str, partition: str) -> list[CheckResult]:
        table = self.finder.table(asset)
        record = self.lake.record(table, partition) if table else None
        if record is None:
            return []
        return [CheckResult(gate.name, gate.passed, gate.failing, record.committed_at) for gate in record.gates]

    # Documents

    def _document(self, node: Node, found: Found) -> None:
        node.verifications.append(verify.document_id_recomputes(found.row))
        node.parents.append(self._crawled(found))
        node.fate = fate.of_document(self.finder, node.id, found.partition)

    def _crawled(self, found: Found) -> Node:
        node = crawl_node(self.finder, self.settings, found)
        for path in self.finder.files(SHARD_FILES, found.partition):
            node.verifications += self.partitions.of(SHARD_FILES, found.partition, path)
        return node

    # Personas

    def _persona(self, node: Node, found: Found) -> None:
        row = found.row
        if "document_id" not in row:
            node.verifications.append(failed("parent_exists", "only persona_survivors knows this persona"))
            return
        parent = self._parent_of_persona(node, row, found.partition)
        node.verifications.append(verify.persona_id_recomputes(row))
        if row["call_id"] is None:
            node.verifications.append(verify.as_given(found, parent))
        else:
            self._generated(node, found, parent, self.calls.row_parses)
        self._passed_on(node, found)

    def _parent_of_persona(self, node: Node, row: dict[str, Any], shard: str) -> Found | None:
        parent_id = row["parent_persona_id"]
        if parent_id is None:
            parent = self.finder.document(row["document_id"], shard)
        else:
            parent = self.finder.born(parent_id, shard)
        self._link(node, parent, parent_id or row["document_id"])
        return parent

    def _passed_on(self, node: Node, found: Found) -> None:
        """What the later tables hold of a persona, and whether they agree with where it was made."""
        here = pl.col("persona_id") == node.id
        if found.table not in BORN:
            seen = f"it is in {found.table.name}, but in no table where personas are made"
            node.verifications.append(failed("copy_agrees", seen))
        copies = {}
        for table in PASSED_ON:
            for copy in self.finder.near(table, here, found.partition):
                copies[table.name] = copy
                node.verifications += [*self._stored(copy), verify.copy_agrees(found, copy)]
        mark = self.finder.mark(node.id, dump_of(found.partition))
        if mark:
            node.verifications += self._stored(mark)
        if copies or mark:
            deduped = copies.get(DEDUPED_PERSONAS.name)
            node.verifications.append(verify.survivor(self.finder, node.id, found.partition, deduped))
        node.fate = fate.of_persona(self.finder, node.id, found.partition, mark)

    # Samples

    def _sample(self, node: Node, found: Found) -> None:
        """A row of any asset that asked about other rows, or was computed from them."""
        asked: Found | None = None
        for origin in found.table.origins:
            if origin.whole:
                self._link_to_all(node, origin, str(found.row[origin.column]))
                continue
            for row_id in _ids(found.row[origin.column]):
                parent = self.finder.referred(origin, row_id, found.partition)
                asked = asked or parent
                self._link(node, self.finder.made(parent) if parent else None, row_id)
        node.fate = fate.of_row(self.finder, found.table, node.id, found.partition)
        if found.table.generated:
            self._generated(node, found, asked, self.calls.row_parses)
        elif found.table.name in self.steps.derived:
            node.verifications += self.computed.row(found)

    def _data_row(self, node: Node, found: Found) -> None:
        node.parents.append(data_node(self.steps.data[found.table.name], found))
        node.fate = fate.of_row(self.finder, found.table, node.id, found.partition)

    # Links

    def _link(self, node: Node, parent: Found | None, parent_id: str) -> None:
        """Add a parent, and whether it exists."""
        node.verifications.append(verdict("parent_exists", parent is not None, "it is not in the lake", parent_id))
        if parent is not None:
            node.parents.append(self.node(parent))

    def _link_to_all(self, node: Node, origin: Parent, partition: str) -> None:
        """Add some of the rows of a partition that a row was made from as a whole, and how many these are."""
        found, count = self.finder.some_of(origin, partition, SOME)
        of = f"{origin.tables[0]} {partition}"
        node.verifications.append(verdict("parents_exist", count > 0, "there is no row of it in the lake", of))
        node.made_of[of] = count
        for one in found:
            node.parents.append(self.node(one))

    def _generated(self, node: Node, found: Found, parent: Found | None, parses: Parses) -> None:
        """The call of a row, and whether its answer gives the row (or refuses it) again."""
        call_id = found.row["call_id"]
        call = self.finder.call(call_id, found.row.get("template", ""))
        node.verifications.append(verdict("call_exists", call is not None, "it is in no ledger part", call_id))
        if call is None:
            node.verifications.append(unverified("row_parses_again", "its call is gone"))
            return
        node.call, prompt = self.calls.record(call, parent, *_asked(found))
        if prompt is None:
            node.verifications.append(unverified("row_parses_again", "its prompt does not render"))
        else:
            node.verifications += parses(found, node.call, prompt)

    # Calls and rejected rows

    def _call(self, node: Node, found: Found) -> None:
        parent, problem = self._asked_about(found)
        if problem:
            node.verifications.append(failed("parent_exists", problem))
        else:
            self._link(node, parent, parent.row[parent.table.key] if parent else "the row it asked about")
        node.call, prompt = self.calls.record(found, parent)
        table = self.finder.table(found.row["asset"])
        node.fate = fate.of_call(self.finder, node.id, table)
        if prompt is None or table is None or parent is None:
            return
        # Others may have asked the same; what their answers gave is verified with them.
        answered, parent_id = pl.col("call_id") == node.id, parent.row[parent.table.key]
        for row in self.finder.near(table, answered, found.partition):
            if any(parent_id in _ids(row.row[origin.column]) for origin in table.origins):
                node.verifications += self._parses(found, parent, row, prompt, self.calls.row_parses)
        for reject in self.finder.rejects(answered & (pl.col("asset") == table.name), found.partition):
            if reject.row["parent_id"] == parent_id:
                node.verifications += self._parses(found, parent, reject, prompt, self.calls.reject_parses)

    def _parses(self, call: Found, parent: Found, row: Found, prompt: Prompt, parses: Parses) -> list[Verification]:
        """Whether the answer of a call gives a row, or refuses it; of several questions that share it, of the row's."""
        record, own = self.calls.record(call, parent, *_asked(row))
        return parses(row, record, own or prompt)

    def _asked_about(self, found: Found) -> tuple[Found | None, str]:
        """The row that a call was about, or why it cannot be told."""
        try:
            fill = json.loads(found.row["fill"])
            if "repair_of" in fill:
                original = self.finder.call(str(fill["repair_of"]))
                if original is None:
                    return None, f"the call {fill['repair_of']} that it repairs is not in the ledger"
                fill = json.loads(original.row["fill"])
            [(about, row_id), *_] = refs_of(fill)
            return self.finder.by_id(row_id, found.partition, about), ""
        except MALFORMED as error:
            return None, f"its fill names no row: {error!r}"

    def _rejected(self, node: Node, found: Found) -> None:
        row = found.row
        node.text = f"{row['reason']}: {row['detail']}"
        if found.asset == RAW_DOCUMENTS.name:
            node.parents.append(self._crawled(found))
            return
        if found.asset in self.steps.data:
            node.parents.append(data_node(self.steps.data[found.asset], found))
            return
        parent = self.finder.by_id(row["parent_id"], found.partition) if row["parent_id"] else None
        self._link(node, parent, row["parent_id"] or "its parent")
        if found.asset in self.steps.derived:
            node.verifications += self.computed.reject(found)
        elif row["call_id"] is None:
            node.verifications.append(unverified("row_parses_again", "no answer of a model was involved"))
        else:
            self._generated(node, found, parent, self.calls.reject_parses)


def _asked(found: Found) -> tuple[str, Sequence[str], Sequence[str]]:
    """The question that a row answers, the calls of the turns before its own, and the rows that were shown.

    Each is empty where the row does not tell.
    """
    row, table = found.row, found.table
    question_id = row["row_id"] if table is REJECTED else row.get("question_id")
    shown = row.get("shown_ids") or (_ids(row[table.origins[0].column]) if table.grouped else [])
    return question_id or "", (row.get("call_ids") or [])[:-1], shown


def _ids(value: str | list[str] | None) -> list[str]:
    """The ids that a column holds: one, several or none."""
    return value if isinstance(value, list) else [value] if value else []


def _text(found: Found) -> str:
    """What a person would read of a row: a document's or persona's text, a call's answer, a sample's own columns."""
    row = found.row
    if found.table is CALLS:
        return str(row["answer"])
    if "task" not in row:
        return str(row.get("text") or "")
    own = [(name, value) for name, value in row.items() if name not in _SHARED]
    return str(own[0][1]) if len(own) == 1 else "\n".join(f"{name}: {value}" for name, value in own)
