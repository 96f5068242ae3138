"""Rows of tables as documents: JSON lines, JSON, CSV, TSV, Parquet."""

from array import array
from collections.abc import Iterable, Iterator
from itertools import islice

from persona_assets.crawl.columns import ColumnReader, column_names
from persona_assets.crawl.items import Found, Refused, Row
from persona_assets.files.records import Record

MOST_LISTINGS = 1000  # different sets of columns that are told apart


def sift_rows(rows: Iterable[Record], columns: ColumnReader, names: list[str] | None = None) -> Iterator[Record]:
    """The rows of a file that have a text column, as they stand; each other one is refused.

    A file none of whose rows has a text column is refused once, as a whole. So rows without one are held, by their
    bytes and the names of their columns alone, until one with a text column shows that they are the odd ones.
    """
    odd, listings, listed = array("q"), array("l"), dict[str, int]()
    seen = False
    for row in rows:
        if not isinstance(row, Row):
            yield row
        elif columns.has_text(row.values):
            if not seen:
                seen, told = True, list(listed)
                yield from (_odd(offset, told[place]) for offset, place in zip(odd, listings, strict=True))
            yield row
        elif seen:
            yield _odd(row.offset, listing(column_names(row.values)))
        else:
            odd.append(row.offset)
            text = listing(column_names(row.values)) if len(listed) < MOST_LISTINGS else "others"
            listings.append(listed.setdefault(text, len(listed)))
    if odd and not seen:
        yield no_text_column(names) if names else _no_text_column(next(iter(listed)), len(odd))


def row_item(row: Row, columns: ColumnReader, form: str) -> Found | Refused:
    """The document of a row that has a text column."""
    fields = columns.read(row.values)
    if isinstance(fields, str):
        return Refused(row.offset, "no_text", fields)
    return Found(
        row.offset,
        form,
        fields.text,
        fields.url,
        fields.record_id,
        fields.fetched_at,
        kind=fields.kind,
        licence=fields.licence,
    )


def _odd(offset: int, names: str) -> Refused:
    return Refused(offset, "no_text_column", f"columns: {names}")


def no_text_column(names: list[str]) -> Refused:
    """The refusal of a file without a text column."""
    return _no_text_column(listing(sorted(names)))


def _no_text_column(names: str, rows: int = 0) -> Refused:
    remedy = "name the text column with PERSONA_COLUMNS, as text=body"
    return Refused(
        None, "no_text_column", f"no text column among {names}{f' in {rows:,} rows' if rows else ''}; {remedy}"
    )


def listing(names: list[str]) -> str:
    """Names of columns for a message."""
    shown = ", ".join(name[:60] for name in islice(names, 30))
    return (shown or "none") + (f" and {len(names) - 30} more" if len(names) > 30 else "")
