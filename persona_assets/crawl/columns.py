"""Which field of a row of a table is the text, the address, the date, the id; or the persona that it holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import orjson

from persona_assets.crawl.items import Kind
from persona_assets.errors import UsageError
from persona_assets.files.headers import parse_date
from persona_assets.text.charset import decode

Row = Mapping[str, Any]

# Where known corpora keep what we look for, tried in order; a dot leads into a nested object.
KNOWN: dict[str, tuple[str, ...]] = {
    # text: RedPajama 1, Dolma, FineWeb, C4, data-juicer, MNBVC samples; raw_content: RedPajama 2, CCNet
    "text": ("text", "raw_content", "content", "raw_text", "body"),
    "url": ("url", "meta.url", "metadata.url", "source_url", "meta.source_url", "metadata.source_url", "warc_url"),
    # persona: Persona Hub, FinePersonas; input persona: the samples that come with Persona Hub
    "persona": ("persona", "input persona", "input_persona"),
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
    "record_id": ("id", "doc_id", "record_id", "warc_record_id", "meta.id", "metadata.id", "digest", "uuid"),
    "licence": ("license", "licence", "meta.license", "meta.licence", "metadata.license", "metadata.licence"),
}
_FIELD: dict[Kind, str] = {"page": "text", "persona": "persona"}  # by what a row may be, what its text is called here
_MNBVC_PARAGRAPHS, _MNBVC_CONTENT = "段落", "内容"  # MNBVC: one file a row, its paragraphs in a list
_MNBVC_QUESTION, _MNBVC_ANSWER = "问", "答"  # MNBVC question and answer
TOP_LEVEL = {path.partition(".")[0] for paths in KNOWN.values() for path in paths} | {
    _MNBVC_PARAGRAPHS,
    _MNBVC_QUESTION,
    _MNBVC_ANSWER,
}


@dataclass(frozen=True, slots=True)
class Fields:
    """What a row holds for us; of a persona the text is the persona, which has no address."""

    text: str
    url: str
    record_id: str | None
    fetched_at: datetime | None
    kind: Kind = "page"
    licence: str | None = None


class ColumnReader:
    """Reads our fields out of rows, by the known names or by a map from ours to theirs (dotted paths).

    A row that has both a text and a persona is a page, as pages may mention one; where the map names the persona, it
    is a persona.
    """

    def __init__(self, column_map: Mapping[str, str]) -> None:
        """Take `settings.column_map`.

        Raises:
            UsageError: it maps a column that we do not have.
        """
        if unknown := sorted(set(column_map) - set(KNOWN)):
            raise UsageError(f"PERSONA_COLUMNS maps {', '.join(unknown)}; known are {', '.join(KNOWN)}")
        self.paths = {ours: (column_map[ours],) if ours in column_map else known for ours, known in KNOWN.items()}
        self.mapped_text = "text" in column_map
        self.kinds: tuple[Kind, ...] = ("persona", "page") if "persona" in column_map else ("page", "persona")

    def top_level(self, names: Sequence[str]) -> list[str]:
        """Those of a table's columns that are worth reading."""
        wanted = {path.partition(".")[0] for paths in self.paths.values() for path in paths}
        wanted |= {path for paths in self.paths.values() for path in paths}  # a name may itself hold a dot
        return [name for name in names if name in wanted or (name in TOP_LEVEL and not self.mapped_text)]

    def has_text(self, row: Row) -> bool:
        """Whether the row has a field for a text or a persona, whatever is in it."""
        if any(self._has_field(row, ours) for ours in _FIELD.values()):
            return True
        return not self.mapped_text and (_MNBVC_PARAGRAPHS in row or (_MNBVC_QUESTION in row and _MNBVC_ANSWER in row))

    def read(self, row: Row) -> Fields | str:
        """Our fields of a row that `has_text`, or what is wrong with its text."""
        kind, value = self._content(row)
        if isinstance(value, bytes):
            decoded = decode(value)
            if isinstance(decoded, tuple):
                return f"the {_FIELD[kind]} is bytes that are no text: {decoded[1]}"
            value = decoded.text
        if not isinstance(value, str):
            return f"the {_FIELD[kind]} is {'null' if value is None else type(value).__name__}"
        record_id = self._first(row, "record_id")
        url = self._first(row, "url") if kind == "page" else ""
        if not isinstance(url, str):
            # Dolma's Common Crawl part keeps the address as the id.
            url = record_id if isinstance(record_id, str) and record_id.startswith(("http://", "https://")) else ""
        return Fields(
            text=value,
            url=url.strip(),
            record_id=None if record_id is None or isinstance(record_id, Mapping | list) else str(record_id),
            fetched_at=_date(self._first(row, "fetched_at")),
            kind=kind,
            licence=_licence(self._first(row, "licence")),
        )

    def _content(self, row: Row) -> tuple[Kind, Any]:
        """What the row is, and its text: the first that is not null; where all are, what it has a field for."""
        for kind in self.kinds:
            value = self._first(row, "persona") if kind == "persona" else self._page(row)
            if value is not None:
                return kind, value
        return next((kind for kind in self.kinds if self._has_field(row, _FIELD[kind])), "page"), None

    def _has_field(self, row: Row, ours: str) -> bool:
        return any(_has(row, path) for path in self.paths[ours])

    def _page(self, row: Row) -> Any:  # noqa: ANN401 - any JSON value
        value = self._first(row, "text")
        return _mnbvc_text(row) if value is None and not self.mapped_text else value

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


def _licence(value: Any) -> str | None:  # noqa: ANN401 - any JSON value
    """A licence as it stands there; of several their list."""
    names = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return ", ".join(name for one in names if isinstance(one, str) and (name := one.strip())) or None


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
