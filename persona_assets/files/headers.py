"""Header blocks of WARC records and HTTP responses, and the dates in them."""

from datetime import UTC, datetime


def parse_headers(block: bytes) -> dict[str, str]:
    """Header fields by lower-case name, the first of each; the first line is left out, folded lines are joined."""
    headers: dict[str, str] = {}
    name = ""
    for line in block.decode("utf-8", "replace").split("\n")[1:]:
        if line[:1] in (" ", "\t") and name:
            headers[name] += " " + line.strip()
            continue
        field, colon, value = line.partition(":")
        field = field.strip().lower()
        name = field if colon and field not in headers else ""
        if name:
            headers[name] = value.strip()
    return headers


def parse_date(value: str) -> datetime | None:
    """A date in UTC, or None where it is none (`2008-10-294T05:21:46-0700` is found in the wild)."""
    try:
        date = datetime.fromisoformat(value.strip())
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
