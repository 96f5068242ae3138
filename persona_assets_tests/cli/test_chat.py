"""A person talks with a character: what is answered, what the ledger keeps, and what can be judged after."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from persona_assets.cli.app import run_cli
from persona_assets.engines.offline import OfflineEngine
from persona_assets.graph import assets
from persona_assets.lake import Lake
from persona_assets.ledger.ledger import Ledger
from persona_assets.lineage import audit
from persona_assets.settings import Settings
from persona_assets.state import LakeState
from persona_assets.steps.model import Context
from persona_assets.text.language import told_language
from persona_assets_tests.characters.profiles import CHINESE, ENGLISH


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "ada.md").write_text(ENGLISH, encoding="utf-8")
    (tmp_path / "profiles" / "lin.md").write_text(CHINESE, encoding="utf-8")
    monkeypatch.setenv("PERSONA_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("PERSONA_PROFILES", str(tmp_path / "profiles"))
    monkeypatch.chdir(tmp_path)
    settings = Settings(datasets=("characters",))
    lake = Lake(settings.lake)
    state = LakeState(lake, settings)
    context = Context(lake, settings, OfflineEngine(settings), "run", keeper=state)
    for name in (name for name in state.assets if name in state.chosen):
        for key in state.keys(name):
            [*state.assets[name].run(context, key)]
    return tmp_path


def chat(monkeypatch: pytest.MonkeyPatch, said: str, *options: str) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(said))
    monkeypatch.setattr("sys.argv", ["persona-assets", "chat", *options])
    return run_cli()


def calls(place: Path) -> list[dict[str, Any]]:
    found = Ledger(Lake(str(place / "lake"))).scan().collect()
    return found.filter(template="chat").sort("created_at").to_dicts()


def test_each_line_is_answered_and_kept(place: Path, monkeypatch: Any, capsys: Any) -> None:
    assert chat(monkeypatch, "Who was your father?\nAnd the clock?\n\nNobody reads this.\n", "Ada Quill") == 0
    shown = capsys.readouterr()
    answers = [one["answer"] for one in calls(place)]
    assert shown.out.splitlines() == [f"Ada Quill: {one}" for one in answers]
    assert len(answers) == 2
    fill = json.loads(calls(place)[1]["fill"])
    assert fill["said"] == ["Visitor (speaking): Who was your father?", "Visitor (speaking): And the clock?"]
    assert fill["answers"] == answers[:1]


def test_the_same_talk_again_costs_nothing(place: Path, monkeypatch: Any, capsys: Any) -> None:
    for _ in range(2):
        assert chat(monkeypatch, "Who was your father?\n", "ada") == 0
    first, again = capsys.readouterr().out.splitlines()
    assert first == again
    assert len(calls(place)) == 1


def test_an_answer_is_audited_down_to_the_profile(place: Path, monkeypatch: Any) -> None:
    assert chat(monkeypatch, "Who was your father?\nAnd the clock?\n", "Ada") == 0
    for call in calls(place):
        found = audit(Lake(str(place / "lake")), Settings(), call["call_id"])
        assert found.ok
        assert {"characters", "casts"} <= {one.table for one in found.nodes()}


def test_a_character_is_spoken_to_in_its_language(place: Path, monkeypatch: Any) -> None:
    assert chat(monkeypatch, "你父亲是谁？\n", "林秋月", "--place", "茶行") == 0
    [call] = calls(place)
    fill = json.loads(call["fill"])
    assert fill["said"] == ["来访者 (speaking): 你父亲是谁？"]
    assert fill["prompt"].endswith("时间和地点：茶行")
    assert told_language([call["answer"]]) == ["zh"]


def test_the_prompt_may_tell_nothing_as_in_training(place: Path, monkeypatch: Any) -> None:
    ledger = Ledger(Lake(str(place / "lake")))
    assert chat(monkeypatch, "Who?\n", "Ada", "--tells", "nothing") == 0
    [call] = calls(place)
    assert json.loads(call["fill"])["tells"] == "nothing"
    assert "Harwick" not in call["fill"]
    assert ledger.template(call["template_digest"])


def test_a_talk_can_be_kept_as_an_interview(place: Path, monkeypatch: Any) -> None:
    log = place / "me_offline_result.jsonl"
    for said in ("Who?\nWhy?\n", "When?\n"):
        assert chat(monkeypatch, said, "Ada", "--log", str(log), "--as", "Tom") == 0
    first, second = (json.loads(line) for line in log.read_text(encoding="utf-8").splitlines())
    assert (first["character"], first["model"], first["max_turns"]) == ("Ada Quill", "offline", 2)
    roles = [(one["turn_id"], one["turn_role"]) for one in first["content"]]
    assert roles == [(0, "interviewer"), (0, "character"), (1, "interviewer"), (1, "character")]
    assert second["content"][0]["turn_content"] == [{"role": "Tom", "action": "(speaking)", "content": "When?"}]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["Nobody"], "there is no character Nobody"),
        (["Ada", "--tells", "all"], "--tells all is unknown"),
        (["Ada", "--system", "x"], "PERSONA_MODELS, which is not set"),
        (["Ada", "--log", "talk.txt"], "name a .jsonl file"),
        (["Ada", "--log", "nowhere/talk.jsonl"], "in a folder that is there"),
    ],
)
def test_what_cannot_be_is_told(place: Path, monkeypatch: Any, capsys: Any, options: list[str], said: str) -> None:
    assert chat(monkeypatch, "Who?\n", *options) == 2
    assert said in capsys.readouterr().err
    assert not calls(place)


def test_a_system_plays_the_character(place: Path, monkeypatch: Any, capsys: Any) -> None:
    models = place / "models.yaml"
    models.write_text("models: {tuned: {engine: offline, seed: 7}}\nassets: {}\n", encoding="utf-8")
    monkeypatch.setenv("PERSONA_MODELS", str(models))
    assert chat(monkeypatch, "Who?\n", "Ada", "--system", "tuned") == 0
    assert json.loads(calls(place)[0]["sampling"])["seed"] == 7
    assert chat(monkeypatch, "Who?\n", "Ada", "--system", "tune") == 2
    assert "no model tune" in capsys.readouterr().err


def test_without_characters_it_says_how_to_make_some(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setenv("PERSONA_LAKE", str(tmp_path / "lake"))
    assert chat(monkeypatch, "Who?\n", "Ada") == 2
    assert "PERSONA_DATASETS=characters" in capsys.readouterr().err
    assert assets(Settings())["characters"]
