"""`persona-assets interviews`: what systems answer as characters."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from persona_assets.characters.page import Outcome, blocks, interviews_page
from persona_assets.characters.results import counts, differences, flagged, means, named
from persona_assets.cli.results import show_results
from persona_assets.errors import UsageError, did_you_mean
from persona_assets.graph import Asset
from persona_assets.lake import Lake
from persona_assets.settings import Settings

ANSWERS = "interview_answers"
_SCORES, _STANDING = f"{ANSWERS}_scores", "judge_standing"
_MOST_LEAKS = 20  # terms that are shown


def show_interviews(
    settings: Settings, name: str | None, systems: Sequence[str], *, as_json: bool, html: Path | None
) -> None:
    """Show what the interviews of a cast came to, or without a name the casts that there are.

    Raises:
        UsageError: there is no such cast or system, or nobody has answered yet.
    """

    def of_systems(lake: Lake, graph: dict[str, Asset], name: str) -> Outcome:
        return outcome_of(lake, graph, name, systems)

    show_results(
        settings, "cast", ANSWERS, name, of_systems, blocks, interviews_page, as_json=as_json, html=html, files="casts"
    )


def outcome_of(lake: Lake, graph: dict[str, Asset], name: str, systems: Sequence[str] = ()) -> Outcome:
    """What stands in the lake of a cast's interviews, of some systems or all.

    Raises:
        UsageError: there is no such system.
    """

    def read(asset: str, keys: Sequence[str] | None = None) -> pl.DataFrame:
        """Rows of an asset; none where settings have no such one."""
        if asset not in graph:
            return pl.DataFrame()
        table = graph[asset].table
        return lake.scan(table, [key for key in lake.keys(table) if keys is None or key in keys]).collect()

    answers = named(read(ANSWERS, [name]))
    known = answers["system"].unique().sort().to_list()
    for one in systems:
        if one not in known:
            raise UsageError(f"no system {one} has answered as {name}; {did_you_mean(one, known)}")
    shown = list(dict.fromkeys(systems)) or known
    answers = answers.filter(pl.col("system").is_in(shown))
    compared = (shown[0], shown[1]) if len(shown) == 2 else None
    scores = read(_SCORES, [name])
    rated = scores.height > 0
    standings = read(_STANDING).filter(pl.col("criterion").is_in(scores["criterion"].implode())) if rated else None
    leaks = answers["leaks"].explode(empty_as_null=True, keep_nulls=True).drop_nulls().value_counts(sort=True)
    logged = read("logged_interviews")
    own = answers.filter(pl.col("answer_id").is_in(logged["sample_id"].implode()))["answer_id"].n_unique()
    told = ("criterion", "judge", "good", "bad", "mean_good", "mean_bad", "auc", "standing", "why")
    return Outcome(
        name,
        counts(answers).to_dicts(),
        flagged(answers).to_dicts(),
        [*leaks.sort("count", "leaks", descending=[True, False]).head(_MOST_LEAKS).iter_rows()],
        answers.select(pl.coalesce("model", "system")).to_series().unique().sort().to_list(),
        standings.select(told).to_dicts() if standings is not None else [],
        means(scores, answers).to_dicts() if rated else [],
        differences(scores, answers, *compared).to_dicts() if rated and compared else [],
        compared,
        logged.height - own if not systems else 0,
    )
