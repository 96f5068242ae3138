"""What an audit found: nodes from the row asked about up to its crawl records, each with its verifications."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from persona_assets.prompts import Message


class Status(StrEnum):
    """The outcome of one verification."""

    OK = "ok"
    FAILED = "failed"
    UNVERIFIED = "unverified"


@dataclass(frozen=True, slots=True)
class Verification:
    """One named check of one link: what was seen, or why it could not be checked. `subject` says of which thing."""

    name: str
    status: Status
    detail: str = ""
    subject: str = ""


def verdict(name: str, holds: bool, seen: str, subject: str = "") -> Verification:
    """`ok`, or `failed` with what was seen."""
    return Verification(name, Status.OK, "", subject) if holds else failed(name, seen, subject)


def failed(name: str, seen: str, subject: str = "") -> Verification:
    """A verification that failed, with what was seen."""
    return Verification(name, Status.FAILED, seen, subject)


def unverified(name: str, why: str, subject: str = "") -> Verification:
    """A verification that could not be made, with the reason."""
    return Verification(name, Status.UNVERIFIED, why, subject)


@dataclass(slots=True)
class CallRecord:
    """A model call: its ledger row, the prompt as it renders now, and the call it repaired."""

    call_id: str
    row: dict[str, Any]
    part: str = ""  # ledger part that holds it, relative to the lake
    messages: list[Message] = field(default_factory=list)  # empty where the prompt does not render
    repair_of: "CallRecord | None" = None
    after: "CallRecord | None" = None  # the call of the turn before
    verifications: list[Verification] = field(default_factory=list)

    def all_verifications(self) -> Iterator[Verification]:
        """Its own, those of the call it repaired, and those of the turns before."""
        yield from self.verifications
        for other in (self.repair_of, self.after):
            if other:
                yield from other.all_verifications()


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a row at a later asset: `kept`, `removed`, `rejected` or `gave` (rows that came of it)."""

    asset: str
    outcome: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A recorded check of the partition that a row is in."""

    check: str
    passed: bool
    failing: int
    created_at: str


@dataclass(slots=True)
class Node:
    """One row of the chain: crawl record, document, persona, sample, call or rejected row."""

    kind: str
    id: str
    table: str
    partition: str
    row: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    call: CallRecord | None = None
    parents: list["Node"] = field(default_factory=list)
    fate: list[Fate] = field(default_factory=list)
    checks: list[CheckResult] = field(default_factory=list)
    verifications: list[Verification] = field(default_factory=list)
    made_of: dict[str, int] = field(default_factory=dict)  # rows of whole partitions that it was made from, by these

    @property
    def relation(self) -> str:
        """How it relates to its parent; empty for all but personas."""
        return str(self.row.get("relation") or "")

    def all_verifications(self) -> Iterator[Verification]:
        """Its own and those of its call."""
        yield from self.verifications
        if self.call:
            yield from self.call.all_verifications()


@dataclass(slots=True)
class Audit:
    """The verified ancestry of one row."""

    row_id: str
    root: Node

    def nodes(self) -> list[Node]:
        """Every node once, ancestors before what came from them, the row asked about last."""
        met: set[int] = set()
        ordered: list[Node] = []

        def visit(node: Node) -> None:
            if id(node) not in met:  # by identity: rows that were tampered with can name each other as parents
                met.add(id(node))
                for parent in node.parents:
                    visit(parent)
                ordered.append(node)

        visit(self.root)
        return ordered

    @property
    def verifications(self) -> list[Verification]:
        """All verifications of all nodes."""
        return [found for node in self.nodes() for found in node.all_verifications()]

    def counts(self) -> dict[Status, int]:
        """How many verifications ended in each status."""
        found = Counter(verification.status for verification in self.verifications)
        return {status: found[status] for status in Status}

    @property
    def failures(self) -> list[Verification]:
        """The verifications that failed."""
        return [found for found in self.verifications if found.status is Status.FAILED]

    @property
    def ok(self) -> bool:
        """Whether nothing failed; what could not be checked does not count as failure."""
        return not self.failures
