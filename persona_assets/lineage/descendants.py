"""All that came from a row, at any depth (the macros of `sql/lineage.sql` on the catalogue)."""

from typing import NamedTuple

from persona_assets.lake import Lake
from persona_assets.lake.catalog import connect
from persona_assets.lake.sqlfiles import sql_text
from persona_assets.lineage.find import Finder, id_prefix, locate
from persona_assets.lineage.steps import Steps
from persona_assets.settings import Settings


class Descendant(NamedTuple):
    """A row of `table` and the row it came from.

    A persona that a later table passed on unchanged stands there as its own parent.
    """

    table: str
    id: str
    parent: str


def descendants(lake: Lake, settings: Settings, row_id: str) -> list[Descendant]:
    """Every row, rejected row and call that came from a document, persona, sample or call, by table and id.

    A call comes from the row that it asked about and gives the rows that were parsed out of it; one call may answer for
    several rows that ask the same, so the rows of the others are not followed through it.

    Raises:
        UsageError: malformed id.
        PersonaAssetsError: the id is nowhere in the lake.
    """
    tables = Steps.of(settings).task_tables
    locate(Finder(lake, tables), row_id)
    macro = "lineage_of_call" if id_prefix(row_id) == "call" else "lineage_descendants"
    with connect(lake, tables) as connection:
        connection.execute(sql_text("lineage"))
        rows = connection.execute(f"FROM {macro}($root)", {"root": row_id}).fetchall()
    return [Descendant(*row) for row in rows]
