"""`persona-assets questionnaire`: what models say of themselves, and what they do."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from persona_assets.cli.results import show_results
from persona_assets.errors import UsageError, did_you_mean
from persona_assets.graph import Asset
from persona_assets.lake import Lake
from persona_assets.questionnaires.answers import of_choices, of_forms, scored_items, who_answered
from persona_assets.questionnaires.page import Outcome, blocks, questionnaire_page
from persona_assets.questionnaires.scores import differences
from persona_assets.settings import Settings

SYSTEM = "system"  # the column of answers that says who answered
TYPES, CHOICES = "questionnaire_types", "questionnaire_choice_scores"


def show_questionnaire(
    settings: Settings, name: str | None, systems: Sequence[str], *, as_json: bool, html: Path | None
) -> None:
    """Show what a questionnaire came to, or without a name the questionnaires that there are.

    Raises:
        UsageError: there is no such questionnaire or system, or nobody has answered it yet.
    """

    def of_systems(lake: Lake, graph: dict[str, Asset], name: str) -> Outcome:
        return outcome_of(lake, graph, name, systems)

    show_results(
        settings,
        "questionnaire",
        TYPES,
        name,
        of_systems,
        blocks,
        questionnaire_page,
        as_json=as_json,
        html=html,
        also=(CHOICES,),
    )


def outcome_of(lake: Lake, graph: dict[str, Asset], name: str, systems: Sequence[str] = ()) -> Outcome:
    """What stands in the lake of a questionnaire and of situations, of some systems or all.

    Raises:
        UsageError: there is no such system.
    """

    def read(asset: str, keys: Sequence[str] | None = None) -> pl.DataFrame:
        table = graph[asset].table
        return lake.scan(table, [key for key in lake.keys(table) if keys is None or key in keys]).collect()

    def told(asset: str, keys: Sequence[str] | None = None) -> list[dict[str, Any]]:
        rows = read(asset, keys)
        return rows.filter(pl.col("system").is_in([*systems])).to_dicts() if systems else rows.to_dicts()

    def answers(asset: str) -> pl.DataFrame:
        """The answers with the systems that gave them, whichever ones the settings name now."""
        rows, paths = read(asset, own), lake.paths(graph[asset].table, own)
        if SYSTEM in rows.columns or rows.is_empty():
            return rows
        stored = pl.scan_parquet([lake.url(path) for path in paths], hive_partitioning=False, glob=False)
        if SYSTEM not in stored.collect_schema():
            return rows
        return rows.join(stored.select("sample_id", SYSTEM).collect(), on="sample_id", maintain_order="left")

    own, items = [name], read("questionnaire_items", [name])
    forms, choices = answers("questionnaire_answers"), answers("questionnaire_choices")
    given = of_choices(choices, items) if forms.is_empty() else of_forms(forms, items)
    known = given["system"].unique().sort().to_list()
    for one in systems:
        if one not in known:
            raise UsageError(f"no system {one} has answered {name}; {did_you_mean(one, known)}")
    shown = list(dict.fromkeys(systems)) or known
    compared = (shown[0], shown[1]) if len(shown) == 2 else None
    moved = differences(given, scored_items(items), *compared).to_dicts() if compared else []
    who = who_answered(choices if forms.is_empty() else forms).filter(pl.col("system").is_in(shown))
    models = who["model"].unique().sort()
    said = [row for row in told("mindset_agreement") if row["questionnaire"] == name]
    return Outcome(
        name,
        (items["title"].to_list() or [""])[0],
        told("questionnaire_scores", own),
        told(TYPES, own),
        models.to_list(),
        [row for row in told(CHOICES, own) if row["run"] is None],
        told("situation_scores"),
        said,
        moved,
        compared,
    )
