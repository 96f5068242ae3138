"""A survey in a small lake that was made by the real steps: who was asked, what came of it, and how it is traced."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from persona_assets.cli.app import run_cli
from persona_assets.cli.survey import outcome_of
from persona_assets.engines.base import Completion, Request, Result
from persona_assets.engines.offline import OfflineEngine
from persona_assets.errors import UsageError
from persona_assets.graph import assets
from persona_assets.lineage import Status, audit
from persona_assets.settings import Settings
from persona_assets.surveys.page import survey_page
from persona_assets.view.html import render_page
from persona_assets_tests.plan.work import Work

NAME = "drinks"
HOSTILE = "Tea <script>alert(1)</script>"
TOLD: dict[str, Any] = {
    "title": "Drinks",
    "question": {"en": "What do you drink in the morning?"},
    "options": [
        {"id": "tea", "text": {"en": HOSTILE}},
        *({"id": one, "text": {"en": one}} for one in ("coffee", "water")),
    ],
    "ordered": True,
    "size": 20,
    "by": ["register"],
    "second_round": ["shares", "arguments"],
    "dialogues": 3,
    "product": {"en": "A kettle that starts at the time of the first alarm."},
    "real": {"source": "A poll", "shares": {"tea": 0.5, "coffee": 0.3, "water": 0.2}},
}
MADE = ("survey_results", "survey_dialogues", "customer_need_counts")
SIXTH = "6"  # what some respondents choose, which is no option


class Stubborn(OfflineEngine):
    """The offline engine, but every fourth respondent answers with what is no option, whatever a repair asks."""

    def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
        rest = []
        for request in requests:
            asked = request.messages[1]["content"]
            if request.template.name == "survey_answers" and len(asked) % 4 == 0:
                answer = json.dumps({"reason": "I have always done it like this at home.", "choice": SIXTH})
                yield [Completion(request.call_id, answer, "stop", 100, 20, 0.01)]
            else:
                rest.append(request)
        yield from super().stream(rest)


def write(folder: Path, name: str = NAME, **told: Any) -> None:
    (folder / "tasks" / "surveys").mkdir(parents=True, exist_ok=True)
    (folder / "tasks" / "surveys" / f"{name}.yaml").write_text(yaml.safe_dump(TOLD | told), encoding="utf-8")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    folder = tmp_path_factory.mktemp("surveys")
    write(folder)
    settings = Settings(
        lake=str(folder / "lake"),
        dumps=str(folder / "dumps"),
        tasks=str(folder / "tasks"),
        hops=1,
        fanout=(4,),
        settle_s=0,
        datasets=MADE,
    )
    work = Work(folder, settings)
    work.drop("d", "a.jsonl", 0, 1, 2, 3, 4)
    work.run(engine=Stubborn(settings))
    return work


def rows(work: Work, asset: str, key: str = NAME) -> pl.DataFrame:
    return work.lake.read(assets(work.settings)[asset].table, key)


def again(work: Work, *names: str, key: str = NAME) -> dict[str, int]:
    """Make assets of one survey anew; by asset the calls that it took."""
    from persona_assets.state import LakeState
    from persona_assets.steps.model import Context

    state = LakeState(work.lake, work.settings)
    context = Context(work.lake, work.settings, OfflineEngine(work.settings), "again", keeper=state)
    return {name: report.calls_made for name in names for _, report in state.assets[name].run(context, key)}


ORDER = ("survey_files", "survey_respondents", "survey_answers", "survey_arguments", "survey_second_answers")


def test_everybody_is_in_the_results_once_as_chose_refused_or_unanswered(work: Work) -> None:
    results = rows(work, "survey_results")
    asked = rows(work, "survey_respondents")
    assert asked.height == TOLD["size"]
    for _, group in results.filter(pl.col("by") == "all").group_by("round"):
        one = group.row(0, named=True)
        assert sorted(one["parent_ids"]) == sorted(asked["sample_id"])
        assert one["answered"] + one["refused"] + one["unanswered"] == one["asked"] == asked.height
        assert group["chose"].sum() == one["answered"]
        assert group["share"].sum() == pytest.approx(1)
    by_register = results.filter((pl.col("by") == "register") & (pl.col("round") == 1) & (pl.col("option") == "tea"))
    assert by_register["asked"].sum() == asked.height


def test_what_is_no_option_is_set_aside_and_counted_as_no_usable_answer(work: Work) -> None:
    aside = work.lake.rejects(assets(work.settings)["survey_answers"].table, NAME).collect()
    assert set(aside["reason"]) == {"among_options"}
    first = rows(work, "survey_results").filter((pl.col("by") == "all") & (pl.col("round") == 1))
    assert first["unanswered"][0] == aside.height > 0
    assert first["answered"][0] + first["refused"][0] == rows(work, "survey_answers").height


def test_every_respondent_saw_the_options_in_the_order_of_their_row(work: Work) -> None:
    orders = {tuple(one["id"] for one in options) for options in rows(work, "survey_respondents")["options"]}
    assert len(orders) > 1


def test_who_answers_again_saw_three_others_who_chose_otherwise(work: Work) -> None:
    shown = rows(work, "survey_arguments")
    answers = dict(rows(work, "survey_answers").select("sample_id", "choice").iter_rows())
    assert shown.height == len(answers)
    for row in shown.iter_rows(named=True):
        own, *others = row["parent_ids"]
        assert row["first_choice"] == answers[own]
        assert len(others) == len(row["arguments"]) == 3
        assert all(answers[other] not in (None, row["first_choice"]) for other in others)
        assert sum(share["percent"] for share in row["shares"]) == pytest.approx(100, abs=2)


def test_those_who_talk_chose_differently_and_both_are_traced(work: Work) -> None:
    pairs = rows(work, "survey_pairs")
    talks = rows(work, "survey_dialogues")
    assert pairs.height == talks.height == 3
    assert all(row["first_choice"] != row["second_choice"] for row in pairs.iter_rows(named=True))
    found = audit(work.lake, work.settings, talks["sample_id"][0])
    assert {one.status for one in found.verifications} == {Status.OK}
    assert sum(node.kind == "persona" for node in found.nodes()) >= 2


@pytest.mark.parametrize("asset", ["survey_results", "survey_second_answers", "customer_need_counts"])
def test_a_row_verifies_down_to_the_crawl_records(work: Work, asset: str) -> None:
    found = audit(work.lake, work.settings, rows(work, asset)["sample_id"][0])
    assert {one.status for one in found.verifications} == {Status.OK}
    assert {"crawl_record", "document", "persona", "sample"} <= {node.kind for node in found.nodes()}


def test_the_distance_is_that_to_the_real_shares(work: Work) -> None:
    first = rows(work, "survey_results").filter((pl.col("by") == "all") & (pl.col("round") == 1))
    shares = dict(first.select("option", "share").iter_rows())
    real = TOLD["real"]["shares"]
    assert dict(first.select("option", "real_share").iter_rows()) == real
    assert first["total_variation"][0] == pytest.approx(sum(abs(shares[one] - real[one]) for one in real) / 2)
    assert 0 < first["ks"][0] <= first["total_variation"][0]


def test_a_rerun_asks_nobody_and_gives_the_same_rows(work: Work) -> None:
    before = {name: rows(work, name).drop("run_id", "created_at") for name in (*ORDER, "survey_results")}
    assert set(again(work, *ORDER, "survey_results").values()) == {0}
    for name, one in before.items():
        assert rows(work, name).drop("run_id", "created_at").equals(one), name


def test_weighted_shares_follow_from_the_margins(work: Work) -> None:
    """The weighted share of all is the sum over groups of the margin times the group's share: the law of total
    probability, which holds where and only where the weights meet the margin."""
    people = rows(work, "persona_attributes", "d.0000").join(
        rows(work, "survey_respondents").select(sample_id="attributes_id"), on="sample_id"
    )
    registers = sorted(people["register"].unique())
    wanted = {one: (n + 1) / sum(range(1, len(registers) + 1)) for n, one in enumerate(registers)}
    write(work.folder, "weighted", margins={"register": wanted}, second_round=[])
    again(work, *ORDER, "survey_results", key="weighted")
    results = rows(work, "survey_results", "weighted")
    everybody = dict(results.filter(pl.col("by") == "all").select("option", "weighted_share").iter_rows())
    groups = results.filter(pl.col("by") == "register")
    for option, share in everybody.items():
        own = groups.filter(pl.col("option") == option).select("value", "weighted_share")
        assert sum(wanted[value] * of for value, of in own.iter_rows()) == pytest.approx(share, abs=1e-6)
    assert set(results["round"]) == {1}
    assert results["effective_size"].max() <= results["answered"].max() + 1e-9


def test_a_margin_of_nobody_ends_the_survey_with_its_name_and_the_files(work: Work) -> None:
    write(work.folder, "empty", margins={"register": {"everyday": 0.5, "sung": 0.5}}, second_round=[])
    with pytest.raises(UsageError, match=r"surveys/empty\.yaml: the margin of register sung has nobody who answered"):
        again(work, *ORDER, "survey_results", key="empty")


def test_a_stratum_of_too_few_asks_nobody(work: Work) -> None:
    write(work.folder, "many", size=10_000, strata={"by": "language", "shares": {"en": 1.0}})
    with pytest.raises(UsageError, match=r"surveys/many\.yaml: language en: 10,000 respondents are wanted, and \d+"):
        again(work, "survey_files", "survey_respondents", key="many")


def test_needs_are_in_the_customers_own_words(work: Work) -> None:
    said = {
        talk: " ".join(turn["text"] for turn in turns if turn["speaker"] == "customer")
        for talk, turns in rows(work, "customer_interviews").select("sample_id", "talk").iter_rows()
    }
    needs = rows(work, "customer_needs")
    assert needs.height > 0
    assert all(row["quote"] in said[row["parent_ids"][0]] for row in needs.iter_rows(named=True))
    counts = rows(work, "customer_need_counts")
    assert counts["customers"].max() <= counts["interviewed"][0] == len(said)
    assert ((counts["low"] <= counts["share"]) & (counts["share"] <= counts["high"])).all()


def test_the_page_says_what_it_cannot_show_and_defuses_what_the_file_holds(work: Work) -> None:
    outcome = outcome_of(work.lake, assets(work.settings), NAME)
    page = render_page(survey_page(outcome))
    assert "The intervals are of sampling alone" in page
    assert "drawn by chance" in page
    assert "Total variation from A poll" in page
    hostile = replace(outcome, survey=outcome.survey.model_copy(update={"question": {"en": HOSTILE}}))
    assert "<script>alert" not in render_page(survey_page(hostile))
    moved = sum(count for _, _, count in outcome.moved)
    assert 0 < moved < rows(work, "survey_second_answers").height


def test_the_command_shows_a_survey_and_names_what_is_not_there(
    work: Work, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PERSONA_TASKS", str(work.folder / "tasks"))

    def run(*arguments: str) -> int:
        monkeypatch.setattr("sys.argv", ["persona-assets", "survey", *arguments, "--lake", work.settings.lake])
        return run_cli()

    assert run(NAME, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert {row["option"] for row in told["results"]} == {"tea", "coffee", "water"}
    assert run("--json") == 0
    assert {"survey": NAME, "results": True} in json.loads(capsys.readouterr().out)
    assert run("drink") == 2
    assert "there is no survey drink; did you mean drinks" in capsys.readouterr().err
