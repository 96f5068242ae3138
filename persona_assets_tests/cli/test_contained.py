"""The command that says what contains programs here."""

import json
from typing import get_args

import pytest

from persona_assets.cli import contained
from persona_assets.cli.app import run_cli
from persona_assets.contained.mechanism import Containment, Mechanism, containment


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["persona-assets", "contained", *arguments])
    return run_cli()


def test_what_contains_programs_here_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--json") == (containment().mechanism == "none")
    told = json.loads(capsys.readouterr().out)
    assert told["mechanism"] == containment().mechanism
    assert told["why_nothing_stronger"] == list(containment().why)


def test_where_nothing_does_the_reasons_are_told_and_the_exit_code_is_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reasons = ("landlock: the kernel has none", "bubblewrap: \x1b[31mnot installed", "monty: not installed")
    monkeypatch.setattr(contained, "containment", lambda: Containment("none", reasons))
    assert run(monkeypatch) == 1
    shown = capsys.readouterr().out
    assert "No program is run" in shown
    assert "landlock: the kernel has none" in shown
    assert "\x1b[31mnot" not in shown


def test_each_mechanism_has_words() -> None:
    assert set(contained.MEANS) == set(get_args(Mechanism))
