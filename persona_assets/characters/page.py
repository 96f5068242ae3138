"""What interviews with characters came to."""

import polars as pl

from persona_assets.characters.logs import FLAGS
from persona_assets.view import blocks as view


def logged_shown(rows: pl.DataFrame) -> list[view.Block]:
    """Interviews by system, and how many turns are flagged, with what that means."""
    told = rows.group_by("character", "system", "kind").agg(pl.len()).sort("character", "system", "kind")
    counted: list[list[view.Cell]] = [
        [character, view.Code(system), kind, f"{count:,}"] for character, system, kind, count in told.iter_rows()
    ]
    flags = rows["flags"].explode(empty_as_null=True, keep_nulls=True).drop_nulls().value_counts(sort=True)
    flagged: list[list[view.Cell]] = [
        [view.Code(flag), f"{count:,}", FLAGS[flag]] for flag, count in flags.sort("flags").iter_rows()
    ]
    return [
        view.Table([*view.left("character"), *view.whole("system", "kind"), *view.right("interviews")], counted),
        view.Table([*view.whole("flag"), *view.right("turns"), *view.left("")], flagged),
    ]
