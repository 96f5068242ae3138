"""`persona-assets survey`: what a survey came to."""

from pathlib import Path
from typing import Any

import polars as pl

from persona_assets.cli.results import show_results
from persona_assets.graph import Asset
from persona_assets.lake import Lake
from persona_assets.settings import Settings
from persona_assets.surveys.page import Outcome, blocks, moves, survey_page, voices
from persona_assets.surveys.survey import survey_of

RESULTS = "survey_results"


def show_survey(settings: Settings, name: str | None, *, as_json: bool, html: Path | None) -> None:
    """Show a survey's results, or without a name the surveys that there are.

    Raises:
        UsageError: there is no such survey, or it has no results yet.
    """
    show_results(settings, "survey", RESULTS, name, outcome_of, blocks, survey_page, as_json=as_json, html=html)


def outcome_of(lake: Lake, graph: dict[str, Asset], name: str) -> Outcome:
    """What stands in the lake of a survey."""

    def read(asset: str) -> pl.DataFrame:
        return lake.scan(graph[asset].table, [name]).collect()

    found = survey_of(read("survey_files"))
    assert found
    answers, second = read("survey_answers"), read("survey_second_answers")
    shown = read("survey_arguments").select("first_choice", shown_id="sample_id").rename({"first_choice": "choice"})
    order = [option.id for option in found[1].options]
    reasons = voices(answers)
    needs: list[dict[str, Any]] = read("customer_need_counts").drop("parent_ids", "run_id", "created_at").to_dicts()
    return Outcome(
        name,
        found[1],
        read(RESULTS).sort("round").to_dicts(),
        sorted({*answers["model"], *second["model"]}),
        {option: reasons[option] for option in order if option in reasons},
        moves(shown, second),
        read("survey_dialogues").height,
        needs,
    )
