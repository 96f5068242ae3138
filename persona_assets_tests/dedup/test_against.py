"""`persona-assets dedup FILE --against OTHER`: rows near a row of another file are duplicates of it."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.cli.app import run_cli
from persona_assets.dedup.file import dedup_file
from persona_assets.dedup.keys import Scheme
from persona_assets.dedup.outcome import Job, Outcome
from persona_assets.errors import UsageError
from persona_assets.text.tokens import word_tokens

BEE = "a beekeeper who paints the hives of her village in the colours of old ships"
FERRY = "the captain of a night ferry, who collects maps of islands that do not exist"
ZH = "一位在渡轮上工作的老船长，收集不存在的岛屿的地图"
RU = "капитан ночного парома, который собирает карты островов, которых нет на свете"
WORDS = ["ant", "bee", "cat", "dog", "eel", "狐", "狸", "ёж"]
TEXT = st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)


def lines(path: Path, texts: Sequence[str | None]) -> Path:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    return path


def dedup(path: Path, *against: Path, threshold: float = 0.9, **job: Any) -> tuple[Outcome, list[dict[str, Any]]]:
    out = path.with_name(job.pop("out", "out.jsonl"))
    outcome = dedup_file(Job(path, Scheme("exact", threshold), out=out, against=against, **job))
    rows = pl.read_parquet(out) if out.suffix == ".parquet" else pl.read_ndjson(out, infer_schema_length=None)
    return outcome, rows.to_dicts()


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)


def greedy(others: list[list[str]], own: list[str], threshold: float) -> list[tuple[str, int] | None]:
    """For each row the file and row of the first one that it is equal to, else near, or None where it has no words.

    All rows of other files stand; of its own only those that are kept.
    """
    stands: list[tuple[str, int, frozenset[str]]] = [
        (f"other-{number}.jsonl", row, frozenset(word_tokens(text)))
        for number, texts in enumerate(others)
        for row, text in enumerate(texts)
        if text.strip()
    ]
    found: list[tuple[str, int] | None] = []
    for row, text in enumerate(own):
        words = frozenset(word_tokens(text))
        if not text.strip():
            found.append(None)
            continue
        near = [(other != words, file, at) for file, at, other in stands if jaccard(words, other) >= threshold]
        if near:
            _, file, at = min(near, key=lambda one: one[0])
            found.append((file, at))
        else:
            found.append(("", row))
            stands.append(("", row, words))
    return found


@settings(max_examples=60, deadline=None)
@given(
    others=st.lists(st.lists(TEXT, min_size=1, max_size=12), min_size=1, max_size=2),
    own=st.lists(TEXT, min_size=1, max_size=12),
    threshold=st.sampled_from([0.5, 0.75, 1.0]),
    part=st.sampled_from([None, 1, 3]),
)
def test_verdicts_are_those_of_a_comparison_of_all_rows(
    others: list[list[str]], own: list[str], threshold: float, part: int | None
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = [lines(folder / f"other-{number}.jsonl", texts) for number, texts in enumerate(others)]
        _, rows = dedup(lines(folder / "own.jsonl", own), *files, threshold=threshold, part=part)
    seen = [None if row["reason"] else (Path(row["survivor_file"] or "").name, row["survivor"]) for row in rows]
    assert seen == greedy(others, own, threshold)
    assert [row["keep"] for row in rows] == [one is not None and one == ("", at) for at, one in enumerate(seen)]


@pytest.mark.parametrize("text", [BEE, ZH, RU])
@pytest.mark.parametrize("out", ["out.jsonl", "out.parquet"])
def test_the_verdict_names_file_and_row_and_the_other_file_is_not_written(tmp_path: Path, text: str, out: str) -> None:
    other = lines(tmp_path / "other.jsonl", [FERRY, None, text, text])
    outcome, rows = dedup(lines(tmp_path / "own.jsonl", [text.upper(), "another text altogether"]), other, out=out)
    assert [(row["keep"], row["survivor"], row["survivor_file"]) for row in rows] == [
        (False, 2, str(other)),
        (True, 1, None),
    ]
    assert (outcome.rows, outcome.kept, outcome.removed["exact"]) == (2, 1, 1)
    assert outcome.against == {str(other): {"rows": 4, "removed": 1}}


def test_a_row_near_one_that_is_itself_near_an_earlier_one_goes_too(tmp_path: Path) -> None:
    other = lines(tmp_path / "other.jsonl", ["a b c d", "a b c d e", "a b c d e f"])
    _, rows = dedup(lines(tmp_path / "own.jsonl", ["a b c d e f g"]), other, threshold=0.8)
    assert (rows[0]["keep"], rows[0]["survivor"]) == (False, 2)


def test_rows_that_are_not_kept_can_be_left_out(tmp_path: Path) -> None:
    other = lines(tmp_path / "other.jsonl", [BEE])
    for out in ("out.jsonl", "out.parquet"):
        own = lines(tmp_path / "own.jsonl", [BEE, FERRY, FERRY, None])
        _, rows = dedup(own, other, only_kept=True, out=out)
        assert [(row["row"], row["text"]) for row in rows] == [(1, FERRY)]


def test_meaning_counts_where_it_is_compared(tmp_path: Path) -> None:
    same = ["A doctor who works in a hospital at night.", "A man that works nights as a doctor at a hospital"]
    turned = "at night, a doctor who works in a hospital"  # the words of the first, as a text of its own
    other = lines(tmp_path / "other.jsonl", [FERRY, turned, same[0]])
    report = tmp_path / "report.md"
    _, rows = dedup(lines(tmp_path / "own.jsonl", [same[1], BEE]), other, semantic=0.75, report=report)
    assert [(row["keep"], row["method"], row["survivor_file"]) for row in rows] == [
        (False, "semantic", str(other)),
        (True, None, None),
    ]
    assert f"of {other} kept" in report.read_text(encoding="utf-8")


def test_an_other_file_without_the_column_is_told(tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text('{"body": "x", "title": "y"}\n', encoding="utf-8")
    with pytest.raises(UsageError, match=r"other\.jsonl: no column 'text'"):
        dedup(lines(tmp_path / "own.jsonl", [BEE]), other, column="text")


def test_the_other_file_is_no_place_to_write_to(tmp_path: Path) -> None:
    other = lines(tmp_path / "other.jsonl", [BEE])
    with pytest.raises(UsageError, match=r"--out .*other\.jsonl is a file that is read"):
        dedup(lines(tmp_path / "own.jsonl", [BEE]), other, out="other.jsonl")


def test_the_command_tells_how_many_rows_went_for_each_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other, own = lines(tmp_path / "other.jsonl", [BEE]), lines(tmp_path / "own.jsonl", [BEE, FERRY])
    arguments = [str(own), "--against", str(other), "--no-semantic"]
    monkeypatch.setattr("sys.argv", ["persona-assets", "dedup", *arguments, "--json"])
    assert run_cli() == 0
    assert json.loads(capsys.readouterr().out)["against"] == {str(other): {"rows": 1, "removed": 1}}
    monkeypatch.setattr("sys.argv", ["persona-assets", "dedup", *arguments])
    assert run_cli() == 0
    assert "compared with" in capsys.readouterr().out
