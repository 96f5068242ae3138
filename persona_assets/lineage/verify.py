"""Verifications that need no model call's prompt: file seals, equal rows, survivors."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from persona_assets.crawl.documents import make_document_id
from persona_assets.ids import digest
from persona_assets.lake import Lake, Table
from persona_assets.lake.schemas import CALL_COLUMNS, DEDUPED_PERSONAS, PERSONA_SURVIVORS
from persona_assets.lake.store import dump_of
from persona_assets.lake.verified import file_digest
from persona_assets.lineage.find import Finder, Found
from persona_assets.lineage.model import Verification, failed, unverified, verdict
from persona_assets.personas.extract import given_row, persona_id

SHOWN = 80  # characters of a differing value that a detail shows


class Seals:
    """Whether files are as they were committed; each file is read once per audit."""

    def __init__(self, lake: Lake) -> None:
        """Bind to a lake; nothing is read yet."""
        self.lake = lake
        self._known: dict[str, Verification] = {}

    def partition(self, path: str) -> Verification:
        """`file_untouched` of a partition's file: its name, which its record holds, is the digest of its bytes."""
        if path not in self._known:
            self._known[path] = self._partition(path)
        return self._known[path]

    def ledger_part(self, path: str) -> Verification:
        """`file_untouched` of a ledger part: its name holds the digest of its bytes."""
        if path not in self._known:
            digest = file_digest(self.lake.fs, path)
            seen = f"its bytes have the digest {digest}, which is not the one in its name"
            whole = path.endswith(f"/part-{digest}.parquet")
            self._known[path] = verdict("file_untouched", whole, seen, self.relative(path))
        return self._known[path]

    def relative(self, path: str) -> str:
        """A path as it stands below the lake."""
        return path.removeprefix(self.lake.root).lstrip("/")

    def _partition(self, path: str) -> Verification:
        subject = self.relative(path)
        found = file_digest(self.lake.fs, path)
        seen = f"its bytes have the digest {found}, which is not the one in its name"
        return verdict("file_untouched", path.endswith(f"/{found}.parquet"), seen, subject)


def differences(stored: Mapping[str, Any], expected: Mapping[str, Any], table: Table) -> str:
    """How `stored` differs from `expected` in the columns of the table that `expected` has; "" where it does not."""
    types = {name: dtype for name, dtype in table.polars.items() if name in expected}
    try:
        # Through the declared types, so that a float32 column compares with what was stored, not with what was parsed.
        typed = pl.DataFrame([{name: expected[name] for name in types}], schema=types).to_dicts()[0]
    except (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError) as error:
        return f"does not fit the table: {error}"
    return "; ".join(
        f"{name} is {shown(stored.get(name))}, expected {shown(value)}"
        for name, value in typed.items()
        if stored.get(name) != value
    )


def shown(value: Any) -> str:  # noqa: ANN401 - any stored value
    """A value for a detail, shortened."""
    text = repr(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def copy_agrees(born: Found, copy: Found) -> Verification:
    """`copy_agrees`: a later table holds the persona as it was made."""
    content = {name: value for name, value in born.row.items() if name not in born.table.volatile}
    different = differences(copy.row, content, copy.table)
    return verdict("copy_agrees", not different, different, f"{copy.table.name}/{copy.partition}")


def as_given(persona: Found, document: Found | None) -> Verification:
    """`as_given`: a persona that no model was asked for is what its document is, which came as a persona."""
    if document is None:
        return unverified("as_given", "its document is gone")
    if document.row.get("kind") != "persona":
        return failed("as_given", "it names no call, and its document did not come as a persona")
    expected = given_row(document.row) | dict.fromkeys(column.name for column in CALL_COLUMNS)
    different = differences(persona.row, expected, persona.table)
    return verdict("as_given", not different, different)


def document_id_recomputes(row: Mapping[str, Any]) -> Verification:
    """`id_recomputes` of a document: its content digest from its text, its id from dump, url and that digest."""
    content = digest(row["text"].encode("utf-8"))
    if content != row["content_digest"]:
        return failed("id_recomputes", f"text has the digest {content}, the row says {row['content_digest']}")
    return _id("document_id", row["document_id"], make_document_id(row["dump"], row["url"], content))


def persona_id_recomputes(row: Mapping[str, Any]) -> Verification:
    """`id_recomputes` of a persona."""
    window = row.get("window", 0)
    found = persona_id(row["document_id"], row["parent_persona_id"], row["relation"], row["text"], window)
    return _id("persona_id", row["persona_id"], found)


def _id(column: str, stored: str, found: str) -> Verification:
    return verdict("id_recomputes", stored == found, f"its columns give the {column} {found}")


def survivor(finder: Finder, persona_id: str, shard: str, deduped: Found | None) -> Verification:
    """`survivor`: a deduped persona is marked kept, and the other way round; a removed one names one that is kept."""
    dump = dump_of(shard)
    mark = finder.mark(persona_id, dump)
    if mark is None:
        if not finder.has(PERSONA_SURVIVORS, dump):
            return unverified("survivor", f"the dump {dump} has not been deduplicated")
        return failed("survivor", f"persona_survivors of dump {dump} does not know it")
    row, subject = mark.row, f"persona_survivors/{mark.partition}"
    if not row["kept"]:
        if deduped is not None:
            return failed("survivor", "marked removed, but it is in deduped_personas", subject)
        return _survivor_is_kept(finder, row, subject)
    if deduped is None and finder.has(DEDUPED_PERSONAS, shard):
        return failed("survivor", "marked kept, but it is not in deduped_personas", subject)
    right = row["survivor_id"] == row["persona_id"]
    return verdict("survivor", right, f"marked kept, but its survivor is {row['survivor_id']}", subject)


def _survivor_is_kept(finder: Finder, row: Mapping[str, Any], subject: str) -> Verification:
    survivor_id = row["survivor_id"]
    other = finder.mark(survivor_id, row["survivor_dump"])
    if other is None:
        return failed("survivor", f"its survivor {survivor_id} is not in persona_survivors", subject)
    if not other.row["kept"]:
        return failed("survivor", f"its survivor {survivor_id} was itself removed", subject)
    return verdict("survivor", row["method"] is not None, "removed without a method", subject)
