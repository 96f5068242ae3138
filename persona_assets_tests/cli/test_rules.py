import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from persona_assets.cli.app import run_cli

GOOD = "Write a haiku about a broken lift."
BAD = "A retired nurse who keeps bees and argues about compost."


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["persona-assets", "rules", *arguments])
    return run_cli()


ROWS = [{"instruction": GOOD, "input": ""}, {"instruction": BAD, "input": ""}, {"instruction": "", "input": ""}]
EXPECTED = {"rows": 3, "kept": 1, "rejected": {"no_person_description": 1, "empty": 1}}


def written(place: Path, kind: str) -> Path:
    path = place / f"rows.{kind}"
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    if kind == "jsonl":
        path.write_text(lines)
    elif kind == "jsonl.gz":
        path.write_bytes(gzip.compress(lines.encode()))
    elif kind == "json":
        path.write_text(json.dumps(ROWS, indent=2))
    elif kind == "parquet":
        pl.DataFrame(ROWS).write_parquet(path)
    else:
        with path.open("w", newline="") as file:
            writer = csv.writer(file, delimiter="\t" if kind == "tsv" else ",")
            writer.writerows([["instruction", "input"], *(list(row.values()) for row in ROWS)])
    return path


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    def rules(*arguments: str) -> dict[str, Any]:
        assert run(monkeypatch, *arguments, "--json") == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    return rules


Judged = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "json", "parquet", "csv", "tsv"])
def test_a_file_of_each_format_is_judged(kind: str, tmp_path: Path, judged: Judged) -> None:
    assert judged(str(written(tmp_path, kind)), "--task", "instructions") == EXPECTED


def test_a_column_of_its_own_name_can_be_judged(tmp_path: Path, judged: Judged) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"prompt": GOOD}) + "\n")
    assert judged(str(path), "--task", "instructions", "--column", "prompt")["kept"] == 1


@pytest.mark.parametrize("task", ["math_problems", "logic_problems"])
@pytest.mark.parametrize("column", ["problem", "text", "own"])
def test_the_main_field_of_a_problem_is_judged(task: str, column: str, tmp_path: Path, judged: Judged) -> None:
    path = tmp_path / "rows.jsonl"
    texts = ["Which of 3 doors is it?", "Which of 3 doors is it? Answer: the red one."]
    path.write_text("".join(json.dumps({column: text}) + "\n" for text in texts))
    own = ("--column", column) if column == "own" else ()
    assert judged(str(path), "--task", task, *own) == {"rows": 2, "kept": 1, "rejected": {"no_solution": 1}}


def test_columns_that_come_later_are_not_lost_in_csv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "rows.jsonl", tmp_path / "out.csv"
    path.write_text(json.dumps({"instruction": GOOD}) + "\n" + json.dumps({"instruction": GOOD, "more": 1}) + "\n")
    assert run(monkeypatch, str(path), "--task", "instructions", "--out", str(out)) == 2
    assert "row 2 has a column 'more' that the first row lacks" in capsys.readouterr().err
    assert not out.exists()


def test_the_language_is_told_from_each_row_or_given(tmp_path: Path, judged: Judged) -> None:
    path = tmp_path / "rows.jsonl"
    texts = ["写一首关于末班车的短诗。", "Стих о последней электричке, восемь строк.", GOOD]
    path.write_text("".join(json.dumps({"instruction": text}) + "\n" for text in texts))
    assert judged(str(path), "--task", "instructions") == {"rows": 3, "kept": 3, "rejected": {}}
    as_russian = judged(str(path), "--task", "instructions", "--language", "ru")
    assert as_russian == {"rows": 3, "kept": 1, "rejected": {"language_matches": 2}}


def test_personas_and_documents_have_rules_of_their_own(tmp_path: Path, judged: Judged) -> None:
    path = tmp_path / "rows.jsonl"
    texts = [BAD, "A company that ships frozen fish to inland cities."]
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    assert judged(str(path), "--persona") == {"rows": 2, "kept": 1, "rejected": {"not_a_person": 1}}
    assert judged(str(path), "--document") == {"rows": 2, "kept": 0, "rejected": {"too_short": 2}}


def test_rows_that_cannot_be_read_are_counted(tmp_path: Path, judged: Judged) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"instruction": GOOD}) + '\n{"instruction": \n[1]\n')
    assert judged(str(path), "--task", "instructions") == {"rows": 3, "kept": 1, "rejected": {"unreadable": 2}}


def test_bytes_are_judged_as_the_text_that_they_hold_and_a_list_is_no_text(tmp_path: Path, judged: Judged) -> None:
    texts = [GOOD, "Старый мельник каждое утро спускался к реке до восхода солнца."]
    path = tmp_path / "rows.parquet"
    pl.DataFrame({"text": [texts[0].encode(), texts[1].encode("windows-1251")]}).write_parquet(path)
    as_bytes = judged(str(path), "--document", "--column", "text")
    pl.DataFrame({"text": texts}).write_parquet(path)
    assert as_bytes == judged(str(path), "--document", "--column", "text")
    lists = tmp_path / "rows.jsonl"
    lists.write_text(json.dumps({"text": [GOOD]}) + "\n" + json.dumps({"text": GOOD}) + "\n")
    assert judged(str(lists), "--document")["rejected"] == {"empty": 1, "too_short": 1}


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_every_row_is_written_with_its_verdict(kind: str, tmp_path: Path, judged: Judged) -> None:
    out = tmp_path / f"out.{kind}"
    judged(str(written(tmp_path, "parquet")), "--task", "instructions", "--out", str(out))
    found = pl.read_ndjson(out) if kind == "jsonl" else pl.read_csv(out)
    assert found["reason"].fill_null("").to_list() == ["", "no_person_description", "empty"]
    assert found["keep"].cast(pl.String).to_list() == ["true", "false", "false"]
    assert found["instruction"].fill_null("").to_list() == [GOOD, BAD, ""]


def test_nothing_is_left_behind_where_a_file_breaks_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rows.jsonl.gz"
    whole = gzip.compress("".join(json.dumps({"instruction": GOOD, "n": n}) + "\n" for n in range(9999)).encode())
    path.write_bytes(whole[: len(whole) // 2])
    out = tmp_path / "out.jsonl"
    assert run(monkeypatch, str(path), "--task", "instructions", "--out", str(out)) == 1
    assert "is damaged" in capsys.readouterr().err
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere.jsonl", "--persona"), "no such file"),
        (("rows.jsonl",), "one of --task NAME, --persona and --document"),
        (("rows.jsonl", "--persona", "--document"), "one of --task NAME, --persona and --document"),
        (("rows.jsonl", "--task", "math_problem"), "did you mean math_problems?"),
        (("rows.jsonl", "--document"), "name one with --column (it has: 'input', 'instruction')"),
        (("rows.jsonl", "--task", "instructions", "--out", "out.xml"), "written as .jsonl or .csv"),
        (("rows.jsonl", "--task", "instructions", "--out", "rows.jsonl"), "is the file that is judged"),
        (("rules.py", "--persona"), "no table in a known format"),
    ],
)
def test_wrong_use_says_what_to_do(
    arguments: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "jsonl")
    (tmp_path / "rules.py").write_text("print('no table')")
    assert run(monkeypatch, *arguments) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_text_of_the_file_is_no_markup_on_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"text": "help help help help help [bold]me[/bold] \x1b[31m now"}) + "\n")
    assert run(monkeypatch, str(path), "--task", "instructions") == 0
    shown = capsys.readouterr().out
    assert "[bold]me[/bold]" in shown.replace("\n", "")
    assert "\x1b[31m" not in shown


def test_without_a_file_the_rules_are_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--json") == 0
    found = {(one["of"], one["rule"]) for one in json.loads(capsys.readouterr().out)}
    assert {("sample", "no_solution"), ("document", "repeated_lines")} <= found
