"""Which field of a JSONL or Parquet row is the text, the address, the date, the id."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import orjson

from persona_assets.errors import UsageError
from persona_assets.files.headers import parse_date

Row = Mapping[str, Any]

# Where known corpora keep what we look for, tried in order; a dot leads into a nested object.
KNOWN: dict[str, tuple[str, ...]] = {
    # text: RedPajama 1, Dolma, FineWeb, C4, data-juicer, MNBVC samples; raw_content: RedPajama 2, CCNet
    "text": ("text", "raw_content", "content", "raw_text", "body"),
    "url": ("url", "meta.url", "metadata.url", "source_url", "meta.source_url", "metadata.source_url", "warc_url"),
    # date: FineWeb; timestamp: C4; date_download: CCNet, RedPajama 2; created: Dolma
    "fetched_at": (
        "fetched_at",
        "date",
        "timestamp",
        "date_download",
        "meta.timestamp",
        "meta.date_download",
        "metadata.date_download",
        "metadata.timestamp",
        "metadata.date",
        "meta.date",
        "created",
    ),
    "record_id": ("id", "doc_id", "record_id", "warc_record_id", "meta.id", "metadata.id", "digest"),
}
_MNBVC_PARAGRAPHS, _MNBVC_CONTENT = "段落", "内容"  # MNBVC: one file a row, its paragraphs in a list
_MNBVC_QUESTION, _MNBVC_ANSWER = "问", "答"  # MNBVC question and answer
TOP_LEVEL = {path.partition(".")[0] for paths in KNOWN.values() for path in paths} | {
    _MNBVC_PARAGRAPHS,
    _MNBVC_QUESTION,
    _MNBVC_ANSWER,
}


@dataclass(frozen=True, slots=True)
class Fields:
    """What a row holds for us."""

    text: str
    url: str
    record_id: str | None
    fetched_at: datetime | None


class ColumnReader:
    """Reads our fields out of rows, by the known names or by a map from ours to theirs (dotted paths)."""

    def __init__(self, column_map: Mapping[str, str]) -> None:
        """Take `settings.column_map`.

        Raises:
            UsageError: it maps a column that we do not have.
        """
        if unknown := sorted(set(column_map) - set(KNOWN)):
            raise UsageError(f"PERSONA_COLUMNS maps {', '.join(unknown)}; known are {', '.join(KNOWN)}")
        self.paths = {ours: (column_map[ours],) if ours in column_map else known for ours, known in KNOWN.items()}
        self.mapped_text = "text" in column_map

    def top_level(self, names: Sequence[str]) -> list[str]:
        """Those of a table's columns that are worth reading."""
        wanted = {path.partition(".")[0] for paths in self.paths.values() for path in paths}
        wanted |= {path for paths in self.paths.values() for path in paths}  # a name may itself hold a dot
        return [name for name in names if name in wanted or (name in TOP_LEVEL and not self.mapped_text)]

    def has_text(self, row: Row) -> bool:
        """Whether the row has a text field, whatever is in it."""
        if any(_has(row, path) for path in self.paths["text"]):
            return True
        return not self.mapped_text and (_MNBVC_PARAGRAPHS in row or (_MNBVC_QUESTION in row and _MNBVC_ANSWER in row))

    def read(self, row: Row) -> Fields | str:
        """Our fields of a row that `has_text`, or what is wrong with its text."""
        value = self._first(row, "text")
        if value is None and not self.mapped_text:
            value = _mnbvc_text(row)
        if not isinstance(value, str):
            return f"the text is {'null' if value is None else type(value).__name__}"
        record_id = self._first(row, "record_id")
        url = self._first(row, "url")
        if not isinstance(url, str):
            # Dolma's Common Crawl part keeps the address as the id.
            url = record_id if isinstance(record_id, str) and record_id.startswith(("http://", "https://")) else ""
        return Fields(
            text=value,
            url=url.strip(),
            record_id=None if record_id is None or isinstance(record_id, Mapping | list) else str(record_id),
            fetched_at=_date(self._first(row, "fetched_at")),
        )

    def _first(self, row: Row, ours: str) -> Any:  # noqa: ANN401 - any JSON value
        return next((value for path in self.paths[ours] if (value := _get(row, path)) is not None), None)


def column_names(row: Row) -> list[str]:
    """Names of a row's columns, those of nested objects dotted, for messages."""
    names: list[str] = []
    for name, value in row.items():
        names.extend(f"{name}.{inner}" for inner in value) if isinstance(value, Mapping) else names.append(str(name))
    return sorted(names)


def _has(row: Row, path: str) -> bool:
    head, dot, rest = path.partition(".")
    if path in row or not dot:
        return path in row
    return _has(_mapping(row.get(head)), rest)


def _get(row: Row, path: str) -> Any:  # noqa: ANN401 - any JSON value
    head, dot, rest = path.partition(".")
    if path in row or not dot:
        return row.get(path)
    inner = _mapping(row.get(head))
    return _get(inner, rest) if inner else None


def _mapping(value: Any) -> Row:  # noqa: ANN401 - any JSON value
    """A nested object, also where it is kept as JSON text (RedPajama's meta)."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return {}
    return value if isinstance(value, Mapping) else {}


def _mnbvc_text(row: Row) -> str | None:
    paragraphs = row.get(_MNBVC_PARAGRAPHS)
    if isinstance(paragraphs, list):
        lines = [part.get(_MNBVC_CONTENT) for part in paragraphs if isinstance(part, Mapping)]
        return "\n".join(line for line in lines if isinstance(line, str))
    question, answer = row.get(_MNBVC_QUESTION), row.get(_MNBVC_ANSWER)
    if isinstance(question, str) and isinstance(answer, str):
        return f"{question}\n{answer}"
    return None


def _date(value: Any) -> datetime | None:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return parse_date(value)
    if isinstance(value, datetime):
        return parse_date(value.isoformat())
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:  # seconds since 1970, or milliseconds where that would be after the year 5000
            return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
        except (ValueError, OverflowError, OSError):
            return None
    return None
