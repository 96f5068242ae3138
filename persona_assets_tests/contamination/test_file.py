"""`persona-assets decontaminate FILE --against BENCHMARK`: what is read, decided and written."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from benchmarks import decontaminate
from persona_assets.cli.app import run_cli
from persona_assets.contamination.file import Job, Outcome, decontaminate_file, read_benchmarks
from persona_assets.contamination.items import read_items
from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets_tests.contamination.items import EN, RU, TEXTS, ZH

CLEAN = "The captain of a night ferry collects maps of islands that do not exist, and sells none of them."


def lines(path: Path, *rows: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    return path


def held(path: Path, *against: Path, **job: Any) -> Outcome:
    return decontaminate_file(Job(path, against, **job))


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    texts = [CLEAN, f"Please: {EN} Thanks.", f"请：{ZH}", f"Вот: {RU}"]
    return lines(tmp_path / "mine.jsonl", *({"n": number, "text": text} for number, text in enumerate(texts)))


@pytest.mark.parametrize("out", ["out.jsonl", "out.parquet"])
def test_rows_that_overlap_are_left_out_and_the_others_stay_as_they_are(mine: Path, tmp_path: Path, out: str) -> None:
    benchmark = lines(tmp_path / "test.jsonl", *({"question": text} for text in TEXTS.values()))
    outcome = held(mine, benchmark, out=tmp_path / out)
    assert (outcome.rows, outcome.kept, outcome.contaminated) == (4, 1, 3)
    assert outcome.benchmarks == {"test.jsonl": {"items": 3, "items_found": 3, "rows": 3}}
    read = pl.read_parquet if out.endswith(".parquet") else pl.read_ndjson
    assert read(tmp_path / out).to_dicts() == [{"n": 0, "text": CLEAN}]


def test_every_overlap_is_a_line_of_the_report(mine: Path, tmp_path: Path) -> None:
    benchmark = lines(tmp_path / "test.jsonl", {"id": "a-7", "problem": RU})
    held(mine, benchmark, report=tmp_path / "report.jsonl")
    (line,) = (tmp_path / "report.jsonl").read_text(encoding="utf-8").splitlines()
    found = json.loads(line)
    assert (found["row"], found["file"], found["item"], found["id"]) == (3, "test.jsonl", 1, "a-7")
    assert (found["part"], found["words"], found["items"]) == ("question", 16, 1)
    assert found["shared"].startswith("смотритель маяка красит")


@pytest.mark.parametrize("report", ["report.md", "report.html"])
def test_a_page_shows_row_and_item(mine: Path, tmp_path: Path, report: str) -> None:
    held(mine, lines(tmp_path / "test.jsonl", {"question": EN}), report=tmp_path / report)
    page = (tmp_path / report).read_text(encoding="utf-8")
    assert "test.jsonl item 1" in page
    assert "a lighthouse keeper paints 12 rails" in page


@pytest.mark.parametrize("compress", ["", "gz", "zst"])
def test_benchmarks_are_read_from_folders_and_compressed(mine: Path, tmp_path: Path, compress: str) -> None:
    path = lines(tmp_path / "held" / "test.jsonl", {"question": EN})
    data = path.read_bytes()
    if compress:
        path.unlink()
        packed = gzip.compress(data) if compress == "gz" else zstandard.ZstdCompressor().compress(data)
        path.with_name(f"test.jsonl.{compress}").write_bytes(packed)
    lines(tmp_path / "held" / "README.md", "no benchmark")
    pq.write_table(pa.table({"input": [ZH], "target": ["x"]}), tmp_path / "held" / "zh.parquet")
    outcome = held(mine, tmp_path / "held")
    assert outcome.contaminated == 2
    assert list(outcome.benchmarks) == sorted([path.name + (f".{compress}" if compress else ""), "zh.parquet"])


@pytest.mark.parametrize(
    ("row", "question", "answers"),
    [
        ({"question": "q", "answer": "a"}, "q", ("a",)),
        ({"problem": "q", "solution": "s", "answer": "a"}, "q", ("s", "a")),
        ({"instruction": "i", "input": "j", "output": "o"}, "i\nj", ("o",)),
        ({"instruction": "i", "input": ""}, "i", ()),
        ({"prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}]}, "q", ()),
        ({"text": "q", "answer": 7}, "q", ()),
    ],
)
def test_the_keys_of_question_and_answers_are_found_by_name(
    tmp_path: Path, row: dict[str, Any], question: str, answers: Sequence[str]
) -> None:
    (item,) = read_items(lines(tmp_path / "a.jsonl", row), "a.jsonl")
    assert (item.question, item.answers) == (question, answers)


def test_another_key_is_told(mine: Path, tmp_path: Path) -> None:
    benchmark = lines(tmp_path / "test.jsonl", {"stem": EN, "text": "short"})
    assert held(mine, benchmark).contaminated == 0
    assert held(mine, benchmark, key="stem").contaminated == 1


def test_a_benchmark_without_a_question_is_an_error_that_names_its_keys(mine: Path, tmp_path: Path) -> None:
    benchmark = lines(tmp_path / "test.jsonl", {"stem": EN, "choices": ["a"]})
    with pytest.raises(
        UsageError, match=r"test\.jsonl: .*question, problem, .*its keys are: 'stem', 'choices'\. Rename"
    ):
        held(mine, benchmark)
    with pytest.raises(UsageError, match="key 'steam' holds no text"):
        held(mine, benchmark, key="steam")
    with pytest.raises(UsageError, match="none, as it has no rows"):
        held(mine, lines(tmp_path / "none.jsonl"))


def test_a_row_of_a_benchmark_that_cannot_be_read_is_an_error(mine: Path, tmp_path: Path) -> None:
    benchmark = lines(tmp_path / "test.jsonl", {"question": EN}, "{broken")
    with pytest.raises(UsageError, match=r"test\.jsonl: row 2 cannot be read: not JSON"):
        held(mine, benchmark)


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    one = lines(tmp_path / "one" / "test.jsonl", {"question": EN})
    two = lines(tmp_path / "two" / "test.jsonl", {"question": RU})
    assert [item.file for item in read_benchmarks([one, two])] == [one.as_posix(), two.as_posix()]


def test_pieces_that_are_frequent_in_the_file_do_not_count(tmp_path: Path) -> None:
    own = [f"{EN} That was number {number}." for number in range(12)]
    path = lines(tmp_path / "mine.jsonl", *({"text": text} for text in [*own, RU]))
    benchmark = lines(tmp_path / "test.jsonl", {"question": EN}, {"question": RU})
    outcome = held(path, benchmark, most_places=11)
    assert (outcome.kept, outcome.contaminated, outcome.only_frequent) == (12, 1, 12)
    assert outcome.frequent_pieces == 8
    assert held(path, benchmark, most_places=12).contaminated == 13
    assert held(path, benchmark, most_places=0, most_places_share=0.95).contaminated == 13


def test_copies_of_an_item_make_nothing_frequent(tmp_path: Path) -> None:
    path = lines(tmp_path / "mine.jsonl", *({"text": EN} for _ in range(12)), {"text": CLEAN})
    benchmark = lines(tmp_path / "test.jsonl", {"question": EN})
    assert held(path, benchmark, most_places=1, most_places_share=0.0).contaminated == 12


@pytest.mark.parametrize("at_once", [1, 5, 100])
def test_what_is_frequent_in_any_file_is_no_longer_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    from persona_assets.contamination import file as module

    monkeypatch.setattr(module, "ALWAYS_FREQUENT", 4)
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    own = [f"{EN} That was number {number}." for number in range(12)]
    path = lines(tmp_path / "mine.jsonl", *({"text": text} for text in [*own, RU]))
    outcome = held(path, lines(tmp_path / "test.jsonl", {"question": EN}, {"question": RU}))
    assert (outcome.contaminated, outcome.frequent_pieces, outcome.only_frequent) == (1, 8, 12)


def test_rows_without_a_text_are_set_aside_with_their_reason(tmp_path: Path) -> None:
    path = lines(tmp_path / "mine.jsonl", {"text": CLEAN}, {"text": None}, {"text": " "}, {"text": 7}, "broken")
    outcome = held(path, lines(tmp_path / "test.jsonl", {"question": EN}), out=tmp_path / "out.jsonl")
    assert dict(outcome.set_aside) == {"null": 1, "empty": 1, "not_text": 1, "not_json": 1}
    assert (outcome.rows, outcome.kept) == (5, 1)
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize("batch", [1, 3, 1000])
def test_the_outcome_does_not_hang_on_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    from persona_assets.contamination import grams
    from persona_assets.files import text_column

    texts = [CLEAN, EN, RU, CLEAN, ZH, EN]
    pq.write_table(pa.table({"text": texts}), tmp_path / "mine.parquet")
    monkeypatch.setattr(text_column, "BATCH_ROWS", batch)
    monkeypatch.setattr(text_column, "LEAST_BATCH_ROWS", 1)
    monkeypatch.setattr(grams, "PIECE_WORDS", 20)
    benchmark = lines(tmp_path / "test.jsonl", *({"question": text} for text in TEXTS.values()))
    outcome = held(tmp_path / "mine.parquet", benchmark)
    assert [(one.row, one.item.number) for one in outcome.examples] == [(1, 1), (2, 3), (4, 2), (5, 1)]


@pytest.mark.parametrize("out", ["out.jsonl", "out.parquet"])
def test_a_file_that_changes_while_it_is_read_is_refused(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    from persona_assets.contamination import file as module

    writing = module._write

    def grow(*arguments: Any) -> None:
        with mine.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"text": "one more"}) + "\n")
        writing(*arguments)

    monkeypatch.setattr(module, "_write", grow)
    with pytest.raises(PersonaAssetsError, match="changed while it was read"):
        held(mine, lines(tmp_path / "test.jsonl", {"question": EN}), out=tmp_path / out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.jsonl", "test.jsonl"]


def test_the_measured_input_holds_what_was_planted(tmp_path: Path) -> None:
    file, benchmark, planted = decontaminate.write(tmp_path, 3000, 200, 0.5)
    assert held(file, benchmark).contaminated == planted == 30


def test_the_command_tells_what_overlaps(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark = lines(tmp_path / "test.jsonl", {"question": EN})
    arguments = ["persona-assets", "decontaminate", str(mine), "--against", str(benchmark)]
    monkeypatch.setattr("sys.argv", [*arguments, "--json"])
    assert run_cli() == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["rows"], found["contaminated"], found["examples"][0]["row"]) == (4, 1, 1)
    monkeypatch.setattr("sys.argv", arguments)
    assert run_cli() == 0
    assert "row 1: test.jsonl item 1: 20 words of its question" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", [*arguments, "--out", str(benchmark)])
    assert run_cli() == 2
    assert "is a file that is read" in capsys.readouterr().err
