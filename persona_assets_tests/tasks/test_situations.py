"""Situations in a small lake: two systems answer, judges place, and behaviour is held against what was said."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from persona_assets.lake.catalog import query
from persona_assets.lineage import Status, audit
from persona_assets.questionnaires.behaviour import NOT_CALIBRATED, NOT_JUDGED
from persona_assets.settings import Settings
from persona_assets.tasks.judges.rubrics import JUDGE
from persona_assets.tasks.load import datasets
from persona_assets_tests.engines.server import Body, Server, serve
from persona_assets_tests.plan.work import Work
from persona_assets_tests.questionnaires.files import told_in
from persona_assets_tests.questionnaires.test_situations import TOLD as SITUATIONS
from persona_assets_tests.tasks.test_questionnaires import FORM, answer, made, section
from persona_assets_tests.tasks.test_questionnaires import TOLD as QUESTIONNAIRE

ASKED = ("situation_files", "situations", "situation_answers")
JUDGED = ("judge_cases", "judge_calibration", "judge_standing", "situation_answers_judged", "situation_answers_scores")
COMPARED = ("situation_scores", "mindset_agreement")
SYSTEMS = ("ej", "hypocrite")  # both say of themselves that they are loud, and one is
LOUD = "I would be loud all morning, and call everybody in the house to come down and sing along with me."
QUIET = "I would be quiet all morning, and nobody in the house would hear a single step of mine on the stairs."


def said(body: Body) -> str:
    """What systems and judges answer; the judge `place` goes by the place, `fair` by the words."""
    asked = body["messages"][-1]["content"]
    if "<statements>" in asked:
        return answer({**body, "model": "ej"})
    if "<situation>" in asked and "<text>" not in asked:
        return LOUD if body["model"] == "ej" else QUIET
    word = "loud" if "loud" in section(asked, "text") else "quiet"
    score = 5 if body["model"] == "place" or word in section(asked, "first") else 1
    return json.dumps({"reason": "The words say so.", "score": score})


def shown(first: str, second: str, text: str) -> str:
    parts = {"first": first, "second": second, "situation": "Tell.", "text": text}
    return "\n".join(f"<{name}>\n{part}\n</{name}>" for name, part in parts.items())


def rubric() -> dict[str, Any]:
    """The bundled one, with known texts of the small file's manners."""
    told = told_in(JUDGE.parent / "rubrics" / "situations.yaml")
    case = {"of": "placed", "language": "en"}
    cases = [
        case | {"label": label, "shown": shown("Is loud.", "Is quiet.", f"{text} Number {n}.")}
        for n in range(3)
        for label, text in (("good", LOUD), ("bad", QUIET))
    ]
    return told | {"cases": cases}


def place(folder: Path, server: Server, judge: str = "") -> Work:
    files: dict[str, Any] = {
        "questionnaires/own": QUESTIONNAIRE,
        "situations/own": SITUATIONS,
        "rubrics/places": rubric(),
    }
    for name, told in files.items():
        path = folder / "tasks" / f"{name}.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(yaml.safe_dump(told), encoding="utf-8")
    models = {name: {"engine": "openai", "base_url": server.url, "model": name} for name in (*SYSTEMS, "fair", "place")}
    given = {"judge_calibration": judge, "situation_answers_judged": judge} if judge else {}
    (folder / "models.yaml").write_text(yaml.safe_dump({"models": models, "assets": given}), encoding="utf-8")
    settings = Settings(
        lake=str(folder / "lake"),
        dumps=str(folder / "dumps"),
        tasks=str(folder / "tasks"),
        models=str(folder / "models.yaml"),
        systems=dict.fromkeys(("questionnaire_answers", "situation_answers"), SYSTEMS),
        judged={"situation_answers": 1.0} if judge else {},
        judge_votes=1,
        datasets=("mindset_agreement",),
    )
    work = Work(folder, settings)
    made(work, *FORM, *ASKED, *(JUDGED if judge else ()), *COMPARED)
    return work


@pytest.fixture(scope="module")
def server() -> Any:
    with serve(said) as running:
        yield running


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Work:
    return place(tmp_path_factory.mktemp("situations"), server, "fair")


def rows(work: Work, asset: str, key: str = "own") -> pl.DataFrame:
    return work.lake.read(datasets(work.settings)[asset].table, key)


def test_a_calibrated_judge_places_what_systems_do(work: Work) -> None:
    assert set(rows(work, "situation_answers_scores")["standing"]) == {"calibrated"}
    found = rows(work, "situation_scores")
    assert dict(found.select("system", "letter").iter_rows()) == {"ej": "E", "hypocrite": "I"}
    assert dict(found.select("system", "score").iter_rows()) == {"ej": -1, "hypocrite": 1}


def test_what_a_system_says_and_does_is_told_to_agree_or_differ(work: Work) -> None:
    found = rows(work, "mindset_agreement")
    outcome = {(row["system"], row["said_letter"], row["shown_letter"]): row["outcome"] for row in found.to_dicts()}
    assert outcome == {("ej", "E", "E"): "agree", ("hypocrite", "E", "I"): "differ"}
    assert set(found["questionnaire"]) == {"own"}


def test_the_prompt_of_a_situation_gives_no_manner_and_that_of_the_judge_no_name(work: Work, server: Server) -> None:
    asked = [body["messages"] for body in server.bodies if "<situation>" in body["messages"][-1]["content"]]
    situations = [one for one in asked if "<text>" not in one[-1]["content"]]
    assert {len(one) for one in situations} == {1}
    assert not any(re.search("loud|quiet", one[0]["content"]) for one in situations)
    judged = [one[-1]["content"] for one in asked if "<text>" in one[-1]["content"]]
    assert judged
    assert not any(re.search("hypocrite|ej", text) for text in judged)


def test_every_answer_is_shown_to_the_judge_in_both_orders(work: Work) -> None:
    found = rows(work, "situation_answers_judged")
    assert Counter(found["order"]) == {"as it is": 20, "swapped": 20}
    assert Counter(found["score"]) == {1: 20, 5: 20}


def test_an_agreement_is_audited_down_to_both_files(work: Work) -> None:
    found = audit(work.lake, work.settings, rows(work, "mindset_agreement")["sample_id"][0])
    assert {one.status for one in found.verifications} == {Status.OK}
    assert sum(node.kind == "data_file" for node in found.nodes()) >= 2


def test_every_row_is_in_one_place(work: Work) -> None:
    tables = [step.table for name, step in datasets(work.settings).items() if name in (*ASKED, *COMPARED)]
    assert query(work.lake, "SELECT * FROM fate WHERE kept + rejected != 1", tables).is_empty()


def test_a_judge_that_goes_by_the_place_places_nothing(tmp_path: Path, server: Server) -> None:
    found = rows(place(tmp_path, server, "place"), "situation_scores")
    assert set(found["letter"]) == {"?"}
    assert set(found["open_because"]) == {NOT_CALIBRATED}
    assert (found["unplaced"] == found["asked"]).all()


def test_without_a_judge_nothing_is_placed_and_the_agreement_is_open(tmp_path: Path, server: Server) -> None:
    work = place(tmp_path, server)
    assert set(rows(work, "situation_scores")["open_because"]) == {NOT_JUDGED}
    assert set(rows(work, "mindset_agreement")["outcome"]) == {"open"}
