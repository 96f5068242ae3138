"""What interviews with characters came to."""

import polars as pl

from persona_assets.characters.logs import FLAGS
from persona_assets.view import blocks as view
from persona_assets.view.numbers import percent


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


def answers_shown(rows: pl.DataFrame) -> list[view.Block]:
    """Answers by system: how many, how long, how many are flagged or say what the character cannot know."""
    told = (
        rows.group_by("system", "kind", "named")
        .agg(
            pl.len(),
            pl.col("length").median(),
            flagged=(pl.col("flags").list.len() > 0).sum(),
            leaking=(pl.col("leaks").list.len() > 0).sum(),
        )
        .sort("system", "kind", "named")
    )
    drawn: list[list[view.Cell]] = [
        [
            view.Code(system),
            kind,
            named,
            f"{count:,}",
            f"{length or 0:,.0f}",
            percent(flagged, count),
            percent(leaking, count),
        ]
        for system, kind, named, count, length, flagged, leaking in told.iter_rows()
    ]
    heads = [*view.whole("system", "kind", "name"), *view.right("answers", "median words", "flagged", "with leaks")]
    return [view.Table(heads, drawn)]
