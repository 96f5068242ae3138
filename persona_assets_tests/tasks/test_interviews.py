"""Interviews in a small lake: two systems play a character, a judge rates them, a report shows them side by side."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from persona_assets.cli.app import run_cli
from persona_assets.errors import UsageError
from persona_assets.export.interviews import export_interviews
from persona_assets.graph import assets
from persona_assets.lake.catalog import query
from persona_assets.lineage import Status, audit
from persona_assets.settings import Settings
from persona_assets.tasks.judges.rubrics import JUDGE
from persona_assets.tasks.load import datasets
from persona_assets.text.language import told_language
from persona_assets_tests.characters.logs import OTHER, WHOLE, answered, asked, entry, multi, single, write
from persona_assets_tests.engines.server import Body, Server, serve
from persona_assets_tests.plan.work import Work
from persona_assets_tests.questionnaires.files import told_in
from persona_assets_tests.tasks.test_questionnaires import made

PROFILE = """# Ilse Brandt

Ilse Brandt (1820 - 1889) bound books in Ulm. Her father, Otto, printed them. She lived alone above the shop.

She held that a book ought to outlive its owner. She never married.
"""
QUESTIONS = [
    {"topic_id": "topic-1", "topic": "past", "question": f"{question}?"}
    for question in ("Ilse, where did you live", "Who was your father", "Did you marry")
]
MADE = (
    *("casts", "cast_members", "character_profiles", "characters", "profile_paragraphs", "statements"),
    *("question_files", "profile_questions", "interview_questions", "interviews", "interview_talks"),
    *("interview_logs", "logged_interviews", "interview_answers"),
)
JUDGED = ("judge_cases", "judge_calibration", "judge_standing", "interview_answers_judged", "interview_answers_scores")
RIGHT = "Above the shop in Ulm, where my father Otto printed and I bound. Alone."
WRONG = "In Rome, with my wife and nine children, whom I visit by aeroplane."


def section(text: str, name: str) -> str:
    return text.partition(f"<{name}>")[2].partition(f"</{name}>")[0].strip()


def said(body: Body) -> str:
    """What systems, interviewer and judges say: `before` is wrong, `after` right, and `lax` likes everything."""
    system, last = body["messages"][0]["content"], body["messages"][-1]["content"]
    if "<shown>" in last:
        right = "above the shop" in last.rpartition("<answer>")[2].casefold()
        return json.dumps({"reason": "As the statements say.", "score": 7 if right or body["model"] == "lax" else 1})
    if "You prepare an interview" in system:
        return json.dumps({"questions": [{"question": f"What of {section(last, 'topic')}, then?"}]})
    if "You interview one person" in system:
        return json.dumps({"evades": False, "say": section(last, "question") or "And then?"})
    return WRONG if body["model"] == "before" else RIGHT


def rubric() -> dict[str, Any]:
    """The bundled one, with known texts that are as plain as the answers of the systems."""
    told = told_in(JUDGE.parent / "rubrics" / "interviews.yaml")
    cases = [
        {"of": one["id"], "language": "en", "label": label, "shown": f"<answer>\n{text} ({n})\n</answer>"}
        for one in told["criteria"]
        for n in range(3)
        for label, text in (("good", RIGHT), ("bad", WRONG))
    ]
    return told | {"cases": cases}


def place(folder: Path, server: Server, judge: str = "", **values: Any) -> Work:
    strange = single([entry("Mine."), entry("I am her brother.", "Otto")], "Who?")
    logs = [single(entry(RIGHT), "Did you marry?"), strange, single([], "Why?")]
    talk = multi(asked(0), answered(0, entry("Above the shop."), entry("And yours?", OTHER)), asked(1), answered(1))
    tasks = write(folder / "tasks", logs, [multi(*WHOLE), talk])
    files = {
        "interview_questions/ilse.json": json.dumps(QUESTIONS),
        "casts/ilse.md": PROFILE,
        "rubrics/interviews.yaml": yaml.safe_dump(rubric()),
    }
    for name, text in files.items():
        (tasks / name).parent.mkdir(parents=True, exist_ok=True)
        (tasks / name).write_text(text, encoding="utf-8")
    systems = ("before", "after")
    models = {
        name: {"engine": "openai", "base_url": server.url, "model": name} for name in (*systems, "fair", "lax", "host")
    }
    given = {"judge_calibration": judge, "interview_answers_judged": judge} if judge else {}
    given |= {"profile_questions": "host", "interview_talks.interviewer": "host"}
    (folder / "models.yaml").write_text(yaml.safe_dump({"models": models, "assets": given}), encoding="utf-8")
    settings = Settings(
        lake=str(folder / "lake"),
        dumps=str(folder / "dumps"),
        tasks=str(tasks),
        models=str(folder / "models.yaml"),
        systems=dict.fromkeys(("interviews", "interview_talks"), systems),
        judged={"interview_answers": 1.0} if judge else {},
        judge_votes=1,
        **values,
    )
    work = Work(folder, settings)
    made(work, *MADE, *(JUDGED if judge else ()))
    return work


@pytest.fixture(scope="module")
def server() -> Any:
    with serve(said) as running:
        yield running


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Work:
    return place(tmp_path_factory.mktemp("interviews"), server, "fair")


def rows(work: Work, asset: str, key: str = "ilse") -> pl.DataFrame:
    return work.lake.read(datasets(work.settings)[asset].table, key)


def test_each_system_answers_each_question_and_the_interviewer_is_none_of_them(work: Work) -> None:
    asked = rows(work, "interview_questions")
    assert Counter(asked["kind"]) == {"single": 4, "either": 4}
    assert Counter(rows(work, "interviews")["system"]) == {"before": 8, "after": 8}
    talks = rows(work, "interview_talks")
    assert Counter(talks["system"]) == {"before": 4, "after": 4}
    assert {len(talk) for talk in talks["talk"]} == {10}
    assert {one["text"] for talk in talks["talk"] for one in talk[1::2]} == {RIGHT, WRONG}


def test_every_answer_of_a_system_is_a_row_with_the_statements_that_matter(work: Work) -> None:
    found = rows(work, "interview_answers")
    assert Counter(found.select("system", "kind").iter_rows()) == {
        ("after", "single"): 8, ("after", "multi"): 4, ("before", "single"): 8, ("before", "multi"): 4,
        ("tuned", "single"): 3, ("tuned", "multi"): 2,
    }  # fmt: skip
    [married] = found.filter(system="tuned", question="Did you marry?").to_dicts()
    assert "She never married." in married["evidence"][:5]
    assert married["topic"] == "past"
    statements = rows(work, "statements")
    assert set(married["evidence_ids"]) <= set(statements["sample_id"])


def test_what_the_character_cannot_know_is_counted_by_answer(work: Work) -> None:
    found = rows(work, "interview_answers")
    assert {tuple(terms) for terms in found.filter(system="after")["leaks"]} == {()}
    [terms] = {tuple(terms) for terms in found.filter(system="before")["leaks"]}
    assert len(terms) == 1
    assert "plane" in terms[0]


def test_a_judge_is_shown_the_statements_and_the_characters_words_alone(work: Work, server: Server) -> None:
    asked = [body["messages"][-1]["content"] for body in server.bodies]
    shown = [text for text in asked if "<shown>" in text and "</statements>" in text]
    assert shown
    assert [text for text in shown if "Ilse Brandt (1820 - 1889) bound books" not in section(text, "character")] == []
    assert not any("I am her brother." in text or "And yours?" in text for text in shown)
    assert not any(re.search(r"\b(before|after|tuned)\b", text) for text in shown)


def test_what_says_something_is_rated_and_stability_of_interviews_in_turns_alone(work: Work) -> None:
    scores = rows(work, "interview_answers_scores")
    counted = Counter(scores["criterion"])
    assert counted["interviews.stability"] == 4 + 4 + 2
    said = rows(work, "interview_answers").filter(pl.col("words") != "")
    assert counted["interviews.memorization"] == said.height == 28
    assert set(scores["standing"]) == {"calibrated"}
    assert set(scores["score"]) == {1, 7}


def test_every_row_is_in_one_place(work: Work) -> None:
    tables = [step.table for name, step in datasets(work.settings).items() if name in (*MADE, *JUDGED)]
    assert query(work.lake, "SELECT * FROM fate WHERE kept + rejected != 1", tables).to_dicts() == []


def test_a_score_is_audited_to_the_statement_the_profile_and_the_log(work: Work) -> None:
    scores, answers = rows(work, "interview_answers_scores"), rows(work, "interview_answers")
    logged = answers.filter(system="tuned", kind="single")["sample_id"][0]
    result = audit(work.lake, work.settings, scores.filter(judged_id=logged)["sample_id"][0])
    assert {one.status for one in result.verifications} == {Status.OK}
    files = {node.id.partition("@")[0] for node in result.nodes() if node.kind == "data_file"}
    assert {"casts/ilse.md", "interview_logs/Ilse_tuned_result/now.json"} <= files


def command(monkeypatch: pytest.MonkeyPatch, work: Work, *arguments: str) -> int:
    monkeypatch.setenv("PERSONA_TASKS", str(work.settings.tasks))
    monkeypatch.setenv("PERSONA_MODELS", str(work.settings.models))
    judged = ",".join(f"{name}={share}" for name, share in work.settings.judged.items())
    monkeypatch.setenv("PERSONA_JUDGED", judged)
    monkeypatch.setattr("sys.argv", ["persona-assets", "interviews", *arguments, "--lake", work.lake.root])
    return run_cli()


def test_the_report_has_counts_and_scores_with_intervals_and_the_judges_error(
    work: Work, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, work, "ilse", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert {(row["system"], row["kind"]): row["answers"] for row in told["counts"]}[("tuned", "multi")] == 2
    assert {(row["flag"], row["turns"]) for row in told["flags"]} == {
        ("speaks_for_interviewer", 1), ("speaks_for_others", 1), ("no_reply", 1)
    }  # fmt: skip
    means = {(row["criterion"], row["system"]): row["mean"] for row in told["scores"]}
    assert (means[("interviews.values", "after")], means[("interviews.values", "before")]) == (7, 1)
    assert {row["error"] for row in told["judges"]} == {0}


def test_two_systems_are_compared_question_by_question(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    two = ("--system", "before", "--system", "after")
    assert command(monkeypatch, work, "ilse", *two, "--html", str(page)) == 0
    shown = capsys.readouterr().out
    assert "after less before" in shown
    assert "+6.00" in shown
    assert "tuned" not in shown
    assert "<svg" in page.read_text(encoding="utf-8")


def test_an_unknown_system_and_cast_are_told(
    work: Work, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, work, "ilse", "--system", "afte") == 2
    assert "did you mean after?" in capsys.readouterr().err
    assert command(monkeypatch, work, "ils") == 2
    assert "did you mean ilse?" in capsys.readouterr().err
    assert command(monkeypatch, work) == 0
    assert "ilse" in capsys.readouterr().out


def test_where_the_judge_is_not_calibrated_there_are_counts_and_no_scores(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lax = place(tmp_path, server, "lax")
    assert set(rows(lax, "interview_answers_scores")["standing"]) == {"not calibrated"}
    assert command(monkeypatch, lax, "ilse") == 0
    shown = capsys.readouterr().out
    assert "is calibrated, so no scores are shown" in shown
    assert "7.00" not in shown
    assert command(monkeypatch, lax, "ilse", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["scores"], len(told["judges"])) == ([], 5)


def test_where_nobody_judged_the_report_says_how_to_ask(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, place(tmp_path, server), "ilse") == 0
    assert "PERSONA_JUDGED=interview_answers=1" in capsys.readouterr().out


def test_with_the_name_hidden_each_question_is_asked_again_and_no_prompt_has_it(tmp_path: Path) -> None:
    params = {"interviews.hidden": True, "interview_talks.hidden": True}
    with serve(said) as server:
        work = place(tmp_path, server, params=params)
    found = rows(work, "interview_answers").filter(pl.col("system") != "tuned")
    assert Counter(found["named"]) == {"shown": 24, "hidden": 24}
    asked = [json.dumps(body["messages"], ensure_ascii=False) for body in server.bodies]
    hidden = [text for text in asked if "the person described" in text]
    assert len(hidden) == 16 + 8 * 10 - 4  # the interviewer asks both systems the same first
    assert not any("Ilse" in text or "Brandt" in text for text in hidden)


def test_a_trained_model_is_asked_with_the_prompt_that_it_was_trained_with(tmp_path: Path) -> None:
    with serve(said) as server:
        work = place(tmp_path, server, params={"interviews.tells": "nothing"})
    asked = [
        body["messages"] for body in server.bodies if body["messages"][-1]["content"].startswith("Visitor (speaking)")
    ]
    assert {messages[0]["content"] for messages in asked} == set(rows(work, "interview_questions")["prompt"])
    assert [len(messages) for messages in asked] == [2] * 16


@pytest.mark.parametrize(
    ("language", "profile"),
    [
        ("en", PROFILE),
        ("zh", "# 沈砚秋\n\n沈砚秋是徽州的制墨匠人。他十六岁拜胡师傅为师，学和胶七年。他认为墨要为一百年后的人做。\n"),
        ("ru", "# Фёкла Званцева\n\nФёкла Званцева держала паром на реке. Отец её утонул. Грамоте её учил Аверин.\n"),
    ],
)
def test_the_offline_engine_interviews_in_each_language(tmp_path: Path, language: str, profile: str) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "ilse.md").write_text(profile, encoding="utf-8")
    where = {"lake": str(tmp_path / "lake"), "dumps": str(tmp_path / "dumps"), "profiles": str(tmp_path / "profiles")}
    work = Work(tmp_path, Settings(**where))
    made(work, *MADE)
    found = rows(work, "interview_answers").filter(pl.col("system") == "offline")
    assert set(found["kind"]) == {"single", "multi"}
    assert set(told_language(found["words"].to_list())) == {language}
    asked = [one["asked"] for talk in found["talk"] for one in talk]
    assert set(told_language(asked)) == {language}


def test_our_answers_come_out_in_the_published_layouts(work: Work, tmp_path: Path) -> None:
    found = export_interviews(work.lake, assets(work.settings), "interview_answers", tmp_path / "out")
    names = {path.partition("/")[2].partition("/")[0]: count for path, count in found.items()}
    assert names == {
        "Ilse-Brandt_after_result": 8, "multiturn_Ilse-Brandt_after_result": 4, "Ilse-Brandt_before_result": 8,
        "multiturn_Ilse-Brandt_before_result": 4, "Ilse_tuned_result": 3, "multiturn_Ilse_tuned_result": 2,
    }  # fmt: skip
    told = json.loads((tmp_path / "out" / next(iter(sorted(found)))).read_text(encoding="utf-8"))
    assert {row["reply"][0]["content"] for row in told} <= {RIGHT, WRONG}


def test_a_cast_of_nobody_cannot_be_exported(tmp_path: Path, server: Server) -> None:
    work = Work(tmp_path, Settings(lake=str(tmp_path / "lake"), dumps=str(tmp_path / "dumps")))
    with pytest.raises(UsageError, match="interview_answers has no rows: make it first"):
        export_interviews(work.lake, assets(work.settings), "interview_answers", tmp_path / "out")
