"""`persona-assets survey`: what a survey came to."""

from pathlib import Path
from typing import Any

import polars as pl
import typer

from persona_assets.cli.run import out
from persona_assets.errors import UsageError, did_you_mean
from persona_assets.graph import Asset, assets
from persona_assets.lake import Lake
from persona_assets.lake.format import open_lake
from persona_assets.settings import Settings
from persona_assets.surveys.page import Outcome, blocks, moves, survey_page, voices
from persona_assets.surveys.survey import survey_of
from persona_assets.view import blocks as view
from persona_assets.view.html import render_page
from persona_assets.view.json import to_json
from persona_assets.view.terminal import say, show

RESULTS = "survey_results"


def show_survey(settings: Settings, name: str | None, *, as_json: bool, html: Path | None) -> None:
    """Show a survey's results, or without a name the surveys that there are.

    Raises:
        UsageError: there is no such survey, or it has no results yet.
    """
    lake, graph = open_lake(settings.lake), assets(settings)
    source = graph["survey_files"].data
    assert source
    made, known = set(lake.keys(graph[RESULTS].table)), sorted(source.look().sources)
    if name is None:
        if as_json:
            typer.echo(to_json([{"survey": one, "results": one in made} for one in known]))
            return
        rows = [(view.Code(one), "has results" if one in made else "not asked yet") for one in known]
        show(out, view.Table(view.whole("survey", ""), rows))
        return
    if name not in made:
        if name not in known:
            raise UsageError(f"there is no survey {name}; {did_you_mean(name, known)}")
        raise UsageError(f"{name} has no results yet: `PERSONA_DATASETS={RESULTS} persona-assets run` asks it")
    outcome = outcome_of(lake, graph, name)
    if html:
        html.write_text(render_page(survey_page(outcome)), encoding="utf-8")
    if as_json:
        typer.echo(to_json(outcome.as_dict()))
        return
    show(out, *blocks(outcome))
    if html:
        say(out, f"written to {html}")


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
