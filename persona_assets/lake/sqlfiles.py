"""Where the SQL files are, and how names and paths are quoted into them."""

from functools import cache
from pathlib import Path
from string import Template

_PACKAGED = Path(__file__).parent.parent / "sql"  # in an installed wheel
SQL = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parent.parent.parent / "sql"


def identifier(name: str) -> str:
    """`name` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """`text` as a SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def literals(texts: list[str]) -> str:
    """A SQL list of string literals."""
    return "[" + ", ".join(literal(text) for text in texts) + "]"


@cache
def sql_text(name: str) -> str:
    """The text of `sql/<name>.sql`."""
    return (SQL / f"{name}.sql").read_text(encoding="utf-8")


def fill_sql(file: str, **quoted: str) -> str:
    """`sql/<file>.sql` with its `$placeholders` replaced by what the caller has quoted."""
    return Template(sql_text(file)).substitute(quoted)
