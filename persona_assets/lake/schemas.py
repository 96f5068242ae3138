"""The declared tables (data contract 2): columns, types, nullability, keys and parents, in one place."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import polars as pl

UTC = pl.Datetime("us", "UTC")
NO_ARGUMENTS = "{}"
GIVEN = "given"  # relation and granularity of a persona that came as such


@dataclass(frozen=True)
class Column:
    """One column: its Polars type, what it holds, and whether it may be null.

    `default`, where it is not None, is what files read as that were written before the column was added.
    """

    name: str
    dtype: pl.DataType
    description: str
    nullable: bool = False
    default: str | int | None = None


@dataclass(frozen=True)
class Parent:
    """A reference: `column` holds ids (or a list of ids) found as `key` in one of `tables`.

    `direct`: the row was made from that one; else it is further up, or beside it. Where the key is `shard`, the column
    names a partition, and the row was made from all rows of it.
    """

    column: str
    tables: tuple[str, ...]
    key: str
    direct: bool = False

    @property
    def whole(self) -> bool:
        """Whether it leads to a whole partition."""
        return self.key == "shard"


FAMILIES = "no_family_parted"  # a gate that looks at the other partitions of its table


@dataclass(frozen=True, eq=False)
class OwnGate:
    """A check over a partition's rows that a function does: it gives those that fail. `digest` is that of its file."""

    name: str
    description: str
    digest: str
    failing: Callable[[pl.LazyFrame], pl.DataFrame]


@dataclass(frozen=True)
class Table:
    """The schema of one asset. `volatile` columns may differ between two runs over the same data.

    `accounts_for` names the column each of whose values ends in exactly one place: kept here, or rejected. They are
    the ids of parent rows, or, in a column that refers to no table, of questions, where a row is asked about more than
    once.
    """

    name: str
    key: str
    columns: tuple[Column, ...]
    parents: tuple[Parent, ...] = ()
    partition: str = "shard"
    accounts_for: str | None = None
    grouped: bool = False  # whether a question is about several rows, which are all its parents
    gates: tuple[str, ...] = ()  # checks beside those that follow from the columns
    own_gates: tuple[OwnGate, ...] = ()
    gate_arguments: str = NO_ARGUMENTS  # JSON: variables of their SQL that the table sets, by name
    volatile: tuple[str, ...] = field(default=("run_id", "created_at"))

    @cached_property
    def polars(self) -> pl.Schema:
        """Column name to Polars type, in order."""
        return pl.Schema({column.name: column.dtype for column in self.columns})

    @property
    def required(self) -> list[str]:
        """Names of the columns that are never null."""
        return [column.name for column in self.columns if not column.nullable]

    @property
    def later(self) -> dict[str, str | int]:
        """Columns that were added later, with their defaults; what reads stored files adds them where they lack."""
        return {column.name: column.default for column in self.columns if column.default is not None}

    @property
    def generated(self) -> bool:
        """Whether each row came out of a model call."""
        return "call_id" in self.polars

    @property
    def origins(self) -> tuple[Parent, ...]:
        """The references to what a row was made from."""
        return tuple(parent for parent in self.parents if parent.direct)

    @property
    def asks(self) -> bool:
        """Whether its own step made the calls; a table whose key is a parent's key passes rows on instead."""
        return self.generated and all(parent.column != self.key for parent in self.parents)


def _text(name: str, description: str, nullable: bool = False) -> Column:
    return Column(name, pl.String(), description, nullable)


RUN_COLUMNS = (
    _text("shard", "Partition this row belongs to: <dump>.<index>"),
    _text("run_id", "Run that wrote the row"),
    Column("created_at", UTC, "When the row was written"),
)
CALL_COLUMNS = (
    _text("call_id", "Ledger call that produced the row"),
    _text("template", "Name of the prompt template"),
    Column("template_version", pl.Int32(), "Version of the prompt template"),
    _text("model", "Model that answered"),
)

RAW_DOCUMENTS = Table(
    "raw_documents",
    "document_id",
    (
        _text("document_id", "Digest of dump, url and content"),
        _text("url", "Address of the page; empty where the source names none"),
        _text("dump", "Crawl release"),
        _text("file", "Crawl file, relative to the dump folder"),
        _text("format", "warc, wet, jsonl or parquet; of an installed package the ending that it reads"),
        Column(
            "record_offset",
            pl.Int64(),
            "Where the record starts: byte offset in the decompressed stream (warc, wet, jsonl), row number (parquet)",
        ),
        _text("record_id", "WARC-Record-ID, or the source's own id", nullable=True),
        Column("fetched_at", UTC, "When the page was fetched", nullable=True),
        _text("language", "ISO 639-1 code"),
        Column("language_confidence", pl.Float32(), "Of the language identification, 0 to 1"),
        _text("text", "Main text, UTF-8, lines separated by \\n"),
        Column("characters", pl.Int32(), "Length of text in characters"),
        _text("content_digest", "blake2b-128 of text"),
        Column("kind", pl.String(), "page, or persona: a row whose text is a persona already", default="page"),
        _text("licence", "Licence that the source names, as it stands there", nullable=True),
        _text("charset", "Character set that the bytes were read in; null where the source is text", nullable=True),
        _text("cut", "Why the page is not whole, as warc_truncated; null where it is", nullable=True),
        Column("lines_removed", pl.Int32(), "Lines of menus, links and notices that the filter took out", default=0),
        *RUN_COLUMNS,
    ),
    gates=("language_share", "reject_rate"),
)

PERSONA_COLUMNS = (
    _text("persona_id", "Digest of root document, parent, relation and text"),
    _text("document_id", "Root document"),
    _text("parent_persona_id", "Persona this one was reached from; null at hop 0", nullable=True),
    _text("relation", "read, write, like, dislike at hop 0, or given; a taxonomy relation after"),
    Column("hop", pl.Int8(), "0 for a persona read from text or given, 1-6 for one reached through relations"),
    _text("text", "The persona, about one sentence"),
    _text("language", "ISO 639-1 code of the root document, in which the persona is written"),
    _text("granularity", "coarse or fine; given: of a persona that came as such, and those reached from it"),
    *CALL_COLUMNS,
    *RUN_COLUMNS,
)
# Of tables that hold given personas, which no model was asked for.
_OR_GIVEN = tuple(replace(column, nullable=True) if column in CALL_COLUMNS else column for column in PERSONA_COLUMNS)
_DOCUMENT = Parent("document_id", ("raw_documents",), "document_id")
_BORN = ("extracted_personas", "expanded_personas")
_PERSONA = Parent("parent_persona_id", _BORN, "persona_id")


def _personas(
    name: str,
    accounts_for: str | None,
    *parents: Parent,
    columns: tuple[Column, ...] = _OR_GIVEN,
    gates: tuple[str, ...] = (),
) -> Table:
    return Table(name, "persona_id", columns, parents, accounts_for=accounts_for, gates=gates)


_WINDOW = Column(
    "window", pl.Int32(), "Part of the document that it was asked of, from 0; SQL wants it in double quotes", default=0
)
EXTRACTED_PERSONAS = _personas(
    "extracted_personas", "document_id", replace(_DOCUMENT, direct=True), columns=(*_OR_GIVEN, _WINDOW)
)
EXPANDED_PERSONAS = _personas(
    "expanded_personas", None, _DOCUMENT, replace(_PERSONA, direct=True), columns=PERSONA_COLUMNS
)
FILTERED_PERSONAS = _personas(
    "filtered_personas",
    "persona_id",
    _DOCUMENT,
    _PERSONA,
    Parent("persona_id", _BORN, "persona_id", direct=True),
    gates=("reject_rate",),
)
PERSONA_SURVIVORS = Table(
    "persona_survivors",
    "persona_id",
    (
        _text("persona_id", "A filtered persona of the dump"),
        _text("persona_shard", "Shard the persona belongs to"),
        _text("dump", "Sealed dump"),
        Column("seal", pl.Int64(), "Place of the dump in the sequence of seals, from 1"),
        Column("kept", pl.Boolean(), "Whether the persona survives"),
        _text("survivor_id", "The persona that stands for this one; itself where kept"),
        _text("survivor_dump", "Dump of the survivor"),
        Column("similarity", pl.Float64(), "Jaccard or cosine to the survivor; null where kept", nullable=True),
        _text("method", "exact, lexical or semantic; null where kept", nullable=True),
        Column(
            "semantic_compared",
            pl.Boolean(),
            "False where no encoder knows the script (too many [UNK]) or the row was removed before the semantic stage",
        ),
        _text("run_id", "Run that wrote the row"),
        Column("created_at", UTC, "When the row was written"),
    ),
    (
        Parent("persona_id", ("filtered_personas",), "persona_id", direct=True),
        Parent("survivor_id", ("filtered_personas",), "persona_id"),
    ),
    partition="dump",
    accounts_for="persona_id",
    gates=("survivors_named",),
)
DEDUPED_PERSONAS = _personas(
    "deduped_personas",
    "persona_id",
    _DOCUMENT,
    _PERSONA,
    Parent("persona_id", ("filtered_personas",), "persona_id", direct=True),
    gates=("verdicts_followed", "no_exact_duplicates", "no_near_duplicates"),
)

SAMPLE_COLUMNS = (
    _text("sample_id", "Digest of task, personas and content"),
    _text("task", "Task that asked"),
    Column("persona_ids", pl.List(pl.String()), "Personas in the prompt, or that it came from"),
    _text("document_id", "Root document of the first persona"),
    _text("language", "ISO 639-1 code"),
)

REJECTED = Table(
    "rejected",
    "row_id",
    (
        _text("asset", "Asset that set the row aside"),
        _text(
            "row_id",
            "Id of what was set aside: a document, persona, sample, or rec_... for an unreadable record",
        ),
        _text("parent_id", "Row it came from", nullable=True),
        _text("reason", "Short code"),
        _text("detail", "What was seen"),
        _text("file", "Crawl file, of the first asset", nullable=True),
        Column("record_offset", pl.Int64(), "As in raw_documents", nullable=True),
        _text("call_id", "Ledger call whose answer was refused", nullable=True),
        *RUN_COLUMNS,
    ),
)

CALLS = Table(
    "calls",
    "call_id",
    (
        _text("call_id", "Digest of all that shapes the answer"),
        _text("asset", "Asset that asked first"),
        _text("shard", "Partition that asked first"),
        _text("template", "Template name"),
        Column("template_version", pl.Int32(), "Template version"),
        _text("template_digest", "Digest under which the template's text is kept"),
        _text("fill", "JSON: ids of the rows and the plain values that filled the template"),
        _text("model", "Model that answered"),
        _text("model_revision", "Its revision"),
        _text(
            "sampling",
            "JSON: temperature, top_p, max_tokens, seed, extra_body, and asking where it was asked again",
        ),
        Column("attempt", pl.Int32(), "0, or the index of a further try"),
        _text("answer", "Raw text of the answer, without its thought"),
        Column("thought", pl.String(), "What the model thought before it, with the marks around it", default=""),
        _text("finish_reason", "stop, length, content_filter, ..."),
        Column("tokens_in", pl.Int64(), "Prompt tokens"),
        Column("tokens_out", pl.Int64(), "Answer tokens"),
        Column("latency_s", pl.Float64(), "Seconds from sending to answer"),
        Column("cost", pl.Float64(), "Money, from the price settings"),
        Column("retries", pl.Int32(), "Times it was tried again before this answer"),
        Column(
            "faults",
            pl.String(),
            "Why each earlier try failed, comma separated: timeout, rate_limited, ...",
            default="",
        ),
        _text("run_id", "Run that paid for it"),
        Column("created_at", UTC, "When the answer was stored"),
    ),
)

SHARD_FILES = Table(
    "shard_files",
    "file",
    (
        _text("dump", "Crawl release"),
        _text("shard", "Partition"),
        _text("folder", "Folder under the dumps folder that holds the files"),
        _text("file", "Path relative to that folder"),
        Column("bytes", pl.Int64(), "Size when it was registered"),
        Column("created_at", UTC, "When the shard was registered"),
        Column("mtime_ns", pl.Int64(), "When the file had last changed, ns since 1970", nullable=True),
        _text("fingerprint", "blake2b-128 of its size, first and last 64 KiB", nullable=True),
    ),
    volatile=("run_id", "created_at", "mtime_ns"),
)

CONTENT_DIGESTS = Table(
    "content_digests",
    "document_id",
    (
        _text("content_digest", "blake2b-128 of the text"),
        _text("document_id", "First document of the shard with that text"),
        Column("keys", pl.List(pl.Int64()), "MinHash keys of its shingles; none: it is not compared", nullable=True),
        Column("sketch", pl.List(pl.UInt32()), "Smallest hashes of its shingles, ascending", nullable=True),
        _text("survivor_id", "Document that stands for it; null: it stands itself", nullable=True),
        Column("similarity", pl.Float64(), "Of the two, null where the text is the same", nullable=True),
    ),
)

ASSET_TABLES = {
    table.name: table
    for table in (
        RAW_DOCUMENTS,
        EXTRACTED_PERSONAS,
        EXPANDED_PERSONAS,
        FILTERED_PERSONAS,
        PERSONA_SURVIVORS,
        DEDUPED_PERSONAS,
    )
}
SUPPORT_TABLES = {table.name: table for table in (REJECTED, CALLS, SHARD_FILES, CONTENT_DIGESTS)}


def conform(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """`frame` with exactly the table's columns, in order.

    Raises:
        ValueError: a column is missing, unknown, or not of the declared type.
    """
    missing = set(table.polars) - set(frame.columns)
    extra = set(frame.columns) - set(table.polars)
    if missing or extra:
        raise ValueError(f"table {table.name}: missing columns {sorted(missing)}, unknown columns {sorted(extra)}")
    frame = frame.select(table.polars.names())
    schema = frame.schema
    if schema == table.polars:
        return frame
    wrong = [
        f"{name} is {schema[name]}, declared {dtype}"
        for name, dtype in table.polars.items()
        if schema[name] != dtype and schema[name] != pl.Null
    ]
    if wrong:
        raise ValueError(f"table {table.name}: {'; '.join(wrong)}")
    return frame.cast(table.polars)
