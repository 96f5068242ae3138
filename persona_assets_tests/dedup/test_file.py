"""`persona-assets dedup FILE`: what is read, what is decided, what is written."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.cli.app import run_cli
from persona_assets.cli.run import row_progress
from persona_assets.dedup import file as module
from persona_assets.dedup.file import dedup_file
from persona_assets.dedup.keys import Scheme
from persona_assets.dedup.outcome import Job, Outcome
from persona_assets.dedup.writing import ADDED as ADDED_COLUMNS
from persona_assets.dedup.writing import Writing
from persona_assets.errors import PersonaAssetsError, UsageError
from persona_assets.files import rows as rows_module
from persona_assets.files import text_column as sources
from persona_assets.files.formats import table
from persona_assets.text.encoder import load_encoder
from persona_assets.text.tokens import token_sets

BEE = "a beekeeper who paints the hives of her village in the colours of old ships"
NEAR = BEE + " daily"
OTHER = "the captain of a night ferry, who collects maps of islands that do not exist"
EXACT = Scheme("exact", 0.9)
ADDED = list(ADDED_COLUMNS)


def parquet(folder: Path, name: str = "in.parquet", group: int | None = None, **columns: Any) -> Path:
    path = folder / name
    pq.write_table(pa.table(columns), path, row_group_size=group)
    return path


def jsonl(folder: Path, *rows: Any, name: str = "in.jsonl") -> Path:
    path = folder / name
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def dedup(path: Path, out: str | None = "out.parquet", scheme: Scheme = EXACT, **job: Any) -> Outcome:
    return dedup_file(Job(path, scheme, out=path.parent / out if out else None, **job))


def written(folder: Path, name: str = "out.parquet") -> list[dict[str, Any]]:
    if name.endswith(".jsonl"):
        return [json.loads(line) for line in (folder / name).read_text().splitlines()]
    return pl.read_parquet(folder / name).to_dicts()


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Copies, near-copies and others, in several row groups."""
    words = np.array([f"w{place}" for place in range(60)])
    random = np.random.default_rng(5)
    texts = [" ".join(random.choice(words, 14)) for _ in range(40)]
    texts += [text + " more" for text in texts[::2]] + [text.upper() + "!" for text in texts[::3]]
    return parquet(tmp_path, group=20, text=[str(text) for text in random.permutation(texts)])


# What comes out


@pytest.mark.parametrize("out", ["out.parquet", "out.jsonl"])
@pytest.mark.parametrize("given_", ["parquet", "jsonl", "jsonl.gz", "jsonl.zst"])
def test_rows_come_back_with_what_was_decided_about_them(tmp_path: Path, given_: str, out: str) -> None:
    rows = [{"id": 1, "text": BEE}, {"id": 2, "text": OTHER}, {"id": 3, "text": NEAR}, {"id": 4, "text": BEE.upper()}]
    if given_ == "parquet":
        path = parquet(tmp_path, id=[1, 2, 3, 4], text=[row["text"] for row in rows])
    else:
        path = jsonl(tmp_path, *rows, name="a.b")
        compress = {"jsonl.gz": gzip.compress, "jsonl.zst": zstandard.ZstdCompressor().compress}.get(given_, bytes)
        path.write_bytes(compress(path.read_bytes()))
    outcome = dedup(path, out)
    assert (outcome.rows, outcome.kept, dict(outcome.removed)) == (4, 2, {"exact": 1, "lexical": 1, "semantic": 0})
    kept = {"similarity": None, "method": None, "reason": None, "keep": True, "semantic_compared": None}
    gone = {"keep": False, "survivor": 0, "reason": None, "semantic_compared": None}
    assert written(tmp_path, out) == [
        {**rows[0], "row": 0, "survivor": 0, **kept},
        {**rows[1], "row": 1, "survivor": 1, **kept},
        {**rows[2], "row": 2, "similarity": 0.9286, "method": "lexical", **gone},
        {**rows[3], "row": 3, "similarity": 1.0, "method": "exact", **gone},
    ]


def test_parquet_keeps_the_types_and_the_order_of_its_columns(tmp_path: Path) -> None:
    nested = pa.array([[{"a": 1}], None], pa.list_(pa.struct({"a": pa.int8()})))
    table = pa.table({"n": nested, "text": pa.array([BEE, BEE]).dictionary_encode(), "b": pa.array([b"\xff", None])})
    pq.write_table(table.replace_schema_metadata({"made": "by hand"}), tmp_path / "in.parquet")
    dedup(tmp_path / "in.parquet")
    found = pq.read_table(tmp_path / "out.parquet")
    assert found.column_names == ["n", "text", "b", *ADDED]
    assert found.schema.metadata[b"made"] == b"by hand"
    assert found.select(["n", "b"]).equals(table.select(["n", "b"]))
    assert found.schema.field("survivor").type == found.schema.field("row").type == pa.int64()


def test_json_lines_keep_every_byte_of_their_fields(tmp_path: Path) -> None:
    line = (
        '{"text" : "' + BEE + '", "n": 1.50, "big": 123456789012345678901234567890, "e": "\\u00e9", "o": {"b": [] } }'
    )
    path = jsonl(tmp_path, line, '{"text": null}', "{}")
    dedup(path, "out.jsonl")
    found = (tmp_path / "out.jsonl").read_text().splitlines()
    assert found[0].startswith(line[:-1].rstrip() + ',"row":0,')
    assert json.loads(found[2]) == {
        "row": 2, "keep": False, "survivor": None, "similarity": None, "method": None, "reason": "null",
        "semantic_compared": None,
    }  # fmt: skip


def test_json_lines_become_parquet_columns_of_one_type_where_they_have_one(tmp_path: Path) -> None:
    rows = [
        {"text": BEE, "i": 2**60, "f": 1, "m": 1, "o": {"a": 1}, "none": None},
        {"text": OTHER, "i": 3, "f": 0.5, "m": "x", "late": True},
        "no object",
    ]
    dedup(jsonl(tmp_path, *rows))
    frame = pl.read_parquet(tmp_path / "out.parquet").drop(ADDED)
    assert frame.to_dicts() == [
        {"text": BEE, "i": 2**60, "f": 1.0, "m": "1", "o": '{"a":1}', "none": None, "late": None, "raw": None},
        {"text": OTHER, "i": 3, "f": 0.5, "m": '"x"', "o": None, "none": None, "late": True, "raw": None},
        dict.fromkeys(("text", "i", "f", "m", "o", "none", "late")) | {"raw": "no object"},
    ]


def test_of_equal_texts_the_first_row_is_kept(tmp_path: Path) -> None:
    dedup(parquet(tmp_path, text=[OTHER, NEAR, BEE, BEE, NEAR]))
    rows = written(tmp_path)
    assert [row["keep"] for row in rows] == [True, True, False, False, False]
    assert [row["survivor"] for row in rows] == [0, 1, 1, 1, 1]


@pytest.mark.parametrize("part", [3, 20, 73])
def test_parts_do_not_change_the_outcome(many: Path, part: int) -> None:
    whole, pieces = dedup(many), dedup(many, "pieces.parquet", part=part)
    assert whole.parts == 1
    assert pieces.parts == -(-whole.rows // part)
    assert (whole.kept, whole.removed, whole.similarity) == (pieces.kept, pieces.removed, pieces.similarity)
    assert written(many.parent) == written(many.parent, "pieces.parquet")


def test_long_texts_make_smaller_parts(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "part_rows", lambda limit, semantic: 40)
    monkeypatch.setattr(module, "TEXT_BYTES", 20)
    monkeypatch.setattr(sources, "BATCH_ROWS", 5)
    assert dedup(many).parts > 3


@pytest.mark.parametrize("part", [None, 2])
def test_texts_that_mean_the_same_are_found_across_parts(tmp_path: Path, part: int | None) -> None:
    texts = ["a physician who treats heart disease in elderly patients", OTHER, "Συνταξιούχος δασκάλα", None]
    outcome = dedup(
        jsonl(tmp_path, *({"text": text} for text in [*texts, texts[0].replace("physician", "doctor")])),
        semantic=0.9,
        part=part,
    )
    rows = written(tmp_path)
    assert [rows[4][name] for name in ("keep", "survivor", "method")] == [False, 0, "semantic"]
    assert [row["semantic_compared"] for row in rows] == [True, True, False, None, True]
    assert (outcome.not_compared, outcome.kept, outcome.set_aside) == (1, 3, {"null": 1})
    assert outcome.near_pairs["semantic"] == (1 if part is None else 0)


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_a_pair_at_the_threshold_is_settled_by_the_text_of_an_earlier_part(tmp_path: Path, form: str) -> None:
    texts = [
        "a physician who treats heart disease in elderly patients", "a sailor",
        "a doctor who treats heart disease in elderly patients", "a cook",
        "the old fisherman repairs nets", "a painter of portraits",
    ]  # fmt: skip
    vectors = load_encoder().encode(texts)
    path = parquet(tmp_path, text=texts) if form == "parquet" else jsonl(tmp_path, *({"text": t} for t in texts))
    at = float(vectors[0] @ vectors[2])
    outcome = dedup(path, semantic=at - 1e-5, part=2)
    assert (outcome.parts, outcome.removed) == (3, {"semantic": 1, "exact": 0, "lexical": 0})
    assert dedup(path, semantic=at + 1e-5, part=2).kept == 6


def test_the_texts_of_rows_are_read_again_in_the_order_asked_for(
    many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = pl.read_parquet(many)["text"]
    rows = np.array([60, 3, 21, 3, 19, 20])
    assert sources.ParquetSource(many, None).texts_at(rows).to_list() == texts.gather(rows).to_list()
    monkeypatch.setattr(sources, "BLOCK_BYTES", 500)
    path = jsonl(tmp_path, *({"text": text} for text in texts), "junk")
    lines = sources.RowSource(path, table()["jsonl"], None, tmp_path / "spool")
    seen = 0
    for batch in lines.texts():
        seen += batch.height
        assert lines.texts_at(np.arange(seen)[::-1]).to_list() == [*texts, None][:seen][::-1]
    assert seen == len(texts) + 1
    assert lines.texts_at(rows).to_list() == texts.gather(rows).to_list()
    assert len(list((tmp_path / "spool").iterdir())) > 3


def brute_force(texts: Sequence[str]) -> Iterator[tuple[int, int, float]]:
    sets = [set(tokens) for tokens in token_sets(pl.Series(texts)).to_list()]
    for right, one in enumerate(sets):
        for left in range(right):
            yield left, right, len(one & sets[left]) / (len(one | sets[left]) or 1)


@settings(max_examples=25)
@given(st.lists(st.text("abc ", min_size=1, max_size=14), min_size=1, max_size=25), st.sampled_from([0.5, 0.8, 0.9]))
def test_each_removed_row_names_an_earlier_kept_row_and_no_two_kept_rows_are_near(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], threshold: float
) -> None:
    folder = tmp_path_factory.mktemp("property")
    dedup(parquet(folder, text=texts), scheme=Scheme("exact", threshold), part=10)
    rows = written(folder)
    near = {(left, right): share for left, right, share in brute_force(texts)}
    for row in rows:
        if not texts[row["row"]].strip():
            assert (row["keep"], row["survivor"], row["reason"]) == (False, None, "empty")
        elif not row["keep"]:
            assert rows[row["survivor"]]["keep"]
            assert row["similarity"] >= threshold
            assert row["similarity"] == pytest.approx(near[row["survivor"], row["row"]], abs=1e-4)
    kept = [row["row"] for row in rows if row["keep"]]
    assert all(near[left, right] < threshold for left in kept for right in kept if left < right)


# Odd texts


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_odd_texts_are_compared_and_what_is_no_text_is_set_aside_with_a_reason(tmp_path: Path, form: str) -> None:
    long = " ".join(f"token{place}" for place in range(10_000))
    texts = {
        "": "empty", " \t\u3000\n": "empty", "word": None, "🙂🙃": None, "🙂": None, "!!!": None,
        "Учитель рисует 老师 and a Θάλασσα": None, "cafe\u0301 e\u0301te\u0301": None, "เด็กในหมู่บ้าน": None,
        long: None, "\0\x1b[31m": None,
    }  # fmt: skip
    pairs = [*texts.items(), (None, "null")]
    pairs += [("WORD!", "exact"), ("🙂🙃", "exact"), ("café été", "exact"), (long + " x", "lexical")]
    values = [text for text, _ in pairs]
    path = parquet(tmp_path, text=values) if form == "parquet" else jsonl(tmp_path, *({"text": v} for v in values))
    outcome = dedup(path)
    rows = written(tmp_path)
    assert [row["reason"] or row["method"] for row in rows] == [expected for _, expected in pairs]
    assert [row["text"] for row in rows] == values
    assert outcome.set_aside == {"empty": 2, "null": 1}
    assert outcome.rows == outcome.kept + outcome.removed.total() + outcome.set_aside.total()


def test_lines_that_are_no_texts_are_set_aside_and_kept_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    lines = [
        b'\xef\xbb\xbf{"text": "one bee"}\r',
        b"",
        b"  ",
        b"{broken",
        b"[1]",
        b'{"text": 5}',
        b'{"x": 1}',
        b'"\xff"',
    ]
    path.write_bytes(b"\n".join(lines))
    outcome = dedup(path, "out.jsonl")
    rows = written(tmp_path, "out.jsonl")
    assert [row["reason"] for row in rows] == [None, "not_json", "not_json", "not_text", "null", "not_json"]
    assert [row.get("raw") for row in rows] == [None, "{broken", "[1]", None, None, '"\ufffd"']
    assert outcome.set_aside == {"not_json": 3, "not_text": 1, "null": 1}


@pytest.mark.parametrize("out", ["out.parquet", "out.jsonl"])
def test_numbers_that_only_python_writes_as_json_do_not_cost_a_row(tmp_path: Path, out: str) -> None:
    lines = ['{"text": "a bee", "n": NaN}', '{"n": -Infinity, "text": "a bee"}', '{"text": "\\ud800", "n": NaN}']
    deep = '{"text": "a wasp", "n": 1, "d": ' + "[" * 500 + "]" * 500 + "}"
    outcome = dedup(jsonl(tmp_path, *lines, deep), out)
    assert (outcome.kept, outcome.removed["exact"], outcome.set_aside) == (3, 1, {})
    rows = written(tmp_path, out)
    assert [str(row.get("n")) for row in rows[:2]] == ["nan", "-inf"]
    assert rows[2]["text"] == ("\ufffd" if out == "out.parquet" else chr(0xD800))


def test_bytes_that_are_no_utf8_are_no_text(tmp_path: Path) -> None:
    broken = pa.Array.from_buffers(pa.string(), 2, pa.array([b"bee", b"\xff\xfe"]).buffers())
    path = parquet(tmp_path, text=broken)
    assert dedup(path).set_aside == {"not_text": 1}
    assert pq.read_table(tmp_path / "out.parquet")["reason"].to_pylist() == [None, "not_text"]
    with pytest.raises(PersonaAssetsError, match=r"end the name of --out in \.parquet"):
        dedup(path, "out.jsonl")


def test_a_column_of_bytes_that_are_utf8_is_text(tmp_path: Path) -> None:
    outcome = dedup(parquet(tmp_path, text=[BEE.encode(), NEAR.encode(), b"\xff\xfe", None]))
    assert (outcome.kept, outcome.set_aside) == (1, {"not_text": 1, "null": 1})


def test_rows_that_are_all_set_aside_leave_nothing_to_compare(tmp_path: Path) -> None:
    outcome = dedup(parquet(tmp_path, text=pa.array([None, ""], pa.string())))
    assert (outcome.rows, outcome.kept, outcome.parts) == (2, 0, 0)
    assert [row["keep"] for row in written(tmp_path)] == [False, False]


def test_a_parquet_file_without_rows_gives_one_without_rows(tmp_path: Path) -> None:
    assert dedup(parquet(tmp_path, text=pa.array([], pa.string()))).rows == 0
    assert pl.read_parquet(tmp_path / "out.parquet").columns == ["text", *ADDED]


# The column


@pytest.mark.parametrize(
    ("columns", "asked", "chosen"),
    [
        ({"body": [BEE], "text": [BEE]}, None, "text"),
        ({"n": [1], "body": [BEE]}, None, "body"),
        ({"text": [BEE], "a.b": [BEE]}, "a.b", "a.b"),
    ],
)
def test_the_column_is_text_or_the_only_one_of_strings(
    tmp_path: Path, columns: dict[str, list[Any]], asked: str | None, chosen: str
) -> None:
    assert dedup(parquet(tmp_path, **columns), None, column=asked).column == chosen
    row = {name: values[0] for name, values in columns.items()}
    assert dedup(jsonl(tmp_path, row), None, column=asked).column == chosen


def test_a_column_that_only_late_lines_have_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "SAMPLE_ROWS", 2)
    path = jsonl(tmp_path, {"a": "x"}, {"a": "y"}, {"b": "z"})
    assert dedup(path, None, column="b").set_aside == {"null": 2}
    with pytest.raises(UsageError, match=r"no column 'c' in its first 2 lines \(it has: 'a'\)"):
        dedup(path, None, column="c")


# Wrong use and damage


def test_damage_in_a_name_of_a_column_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "odd.parquet"
    pl.DataFrame({"text": ["a"], "titel": ["b"]}).write_parquet(path)
    path.write_bytes(path.read_bytes().replace(b"titel", b"t\xfftel"))
    with pytest.raises(PersonaAssetsError, match=r"odd\.parquet.* damaged"):
        dedup(path, None, column="text")


def refused(folder: Path, path: Path, said: str, out: str = "out.parquet", **job: Any) -> None:
    before = sorted(folder.iterdir())
    with pytest.raises(PersonaAssetsError, match=said):
        dedup(path, out, **job)
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "no table in a known format"),
        (b"id,text\n1,a bee\n2,a wasp\n", "no table in a known format.*CSV and TSV by the ending of the name"),
        (b"<html><body>a bee</body></html>", "it is html, which holds pages"),
        (b'{"text": "a"}\n{broken\n{too\n', "of its first 3 rows 1 can be read; not JSON: .*{broken"),
        (gzip.compress(b"PAR1 and then nothing"), "Parquet within gz: decompress it first"),
        (b"\n  \n\r\n", "has no rows: it is blank"),
        (b'{"n": 1}\n', r"--column \(columns of strings: none\)"),
        (b'{"a": "x", "b": "y"}', r"--column \(columns of strings: 'a', 'b'\)"),
        (b'{"text": "x", "keep": 1}', "has a column 'keep' already"),
        (b'{"text": "x"}\n{"text": "y", "reason": 1}', "has a column 'reason' already"),
        (gzip.compress(b'{"text": "x"}\n' * 9000)[:-30], "damaged or cut off after row"),
        (b"PAR1 and then nothing", "damaged or cut off"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_and_nothing_is_written(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "odd.bin"
    path.write_bytes(content)
    refused(tmp_path, path, said)


def test_a_parquet_file_that_is_cut_off_or_damaged_inside_is_refused(many: Path) -> None:
    whole = many.read_bytes()
    many.write_bytes(whole[:-100])
    refused(many.parent, many, "in.parquet begins as a Parquet file and is damaged or cut off")
    many.write_bytes(whole[:100] + bytes(200) + whole[300:])
    refused(many.parent, many, "in.parquet begins as a Parquet file and is damaged or cut off")


@pytest.mark.parametrize(
    ("job", "said"),
    [
        ({"column": "nope"}, r"no column 'nope' \(it has: 'text', 'n', 'b'\)"),
        ({"column": "n"}, r"column 'n' is of type int64, not strings \(columns of strings: 'text'\)"),
        ({"out": "out.csv"}, r"--out .*out.csv: end the name in .parquet or .jsonl"),
        ({"out": "in.parquet"}, "--out .* is a file that is read"),
        ({"out": "nowhere/out.parquet"}, "no such folder"),
        ({"out": "out.jsonl"}, "column 'b' is of type binary, which JSON has no form for"),
        ({"report": Path("r.pdf")}, "--report r.pdf: end the name in .html or .md"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, job: dict[str, Any], said: str
) -> None:
    monkeypatch.setattr(module, "_Comparing", None)
    refused(tmp_path, parquet(tmp_path, text=[BEE], n=[1], b=[b"x"]), said, **job)


def test_json_lines_of_another_kind_than_text_are_refused(tmp_path: Path) -> None:
    refused(tmp_path, jsonl(tmp_path, {"n": 1, "text": BEE}), "holds integer values, not strings", column="n")


def test_folders_missing_files_and_repeated_columns_are_refused(tmp_path: Path) -> None:
    refused(tmp_path, tmp_path, "is a folder")
    refused(tmp_path, tmp_path / "missing", "no such file")
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
    pq.write_table(table, tmp_path / "in.parquet")
    refused(tmp_path, tmp_path / "in.parquet", "two columns named 'text'")


def test_an_endless_line_and_endless_fields_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = jsonl(tmp_path, {"text": BEE}, {"text": "x" * 5000}, {f"f{place}": 1 for place in range(20)})
    monkeypatch.setattr(sources, "MOST_FIELDS", 10)
    refused(tmp_path, path, r"more than 10 different fields: end the name of --out in \.jsonl")
    monkeypatch.setattr(rows_module, "LINE_BYTES", 2000)
    refused(tmp_path, path, "row 2 is longer than")


def test_what_was_written_before_stays_where_a_run_fails(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = many.parent / "out.parquet"
    before.write_text("an earlier result")

    def fail(*_: object) -> Iterator[int]:
        raise KeyboardInterrupt

    monkeypatch.setattr(Writing, "_added", fail)
    with pytest.raises(KeyboardInterrupt):
        dedup(many)
    assert before.read_text() == "an earlier result"
    assert sorted(path.name for path in many.parent.iterdir()) == ["in.parquet", "out.parquet"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("in.CSV", f'id,text\n1,{BEE}\n2,"{NEAR}"\n'),
        ("in.tsv", f"id\ttext\n1\t{BEE}\n2\t{NEAR}\n"),
        ("in", json.dumps([{"id": "1", "text": BEE}, {"id": "2", "text": NEAR}], indent=1)),
    ],
)
@pytest.mark.parametrize("out", ["out.parquet", "out.jsonl"])
def test_rows_of_every_format_are_compared_and_written(tmp_path: Path, name: str, content: str, out: str) -> None:
    (tmp_path / name).write_text(content)
    assert dedup(tmp_path / name, out).removed["lexical"] == 1
    assert [(row["id"], row["text"], row["survivor"]) for row in written(tmp_path, out)] == [
        ("1", BEE, 0),
        ("2", NEAR, 0),
    ]


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device", "inner"), OSError("No space left on device (os error 28)")]
)
def test_a_full_disk_is_told_of_the_place_that_was_asked_for(
    many: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def full(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Writing, "write", full)
        refused(many.parent, many, f"^--out {many.parent}/out.parquet: No space left on device$")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        refused(many.parent, many, "^--report r.md: No space left on device$", report=Path("r.md"))
    monkeypatch.setattr(module, "_read_verdicts", full)
    with pytest.raises(PersonaAssetsError, match=r"^temporary folder .* \(TMPDIR\): No space left on device$"):
        dedup(many, None)


def test_a_folder_that_cannot_be_written_to_is_told_before_any_work(
    many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    refused(many.parent, many, "^--out .*out.parquet: no permission to write in ")


@pytest.mark.parametrize("out", ["out.parquet", "out.jsonl"])
def test_a_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    path = jsonl(tmp_path, {"text": BEE}, {"text": OTHER})
    reading = module._read_verdicts

    def grow(scratch: Path) -> pa.Table:
        jsonl(tmp_path, {"text": BEE}, {"text": OTHER}, {"text": NEAR})
        return reading(scratch)

    monkeypatch.setattr(module, "_read_verdicts", grow)
    refused(tmp_path, path, "changed while it was read", out)


# The command


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "persona_assets", "dedup", *arguments],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("PERSONA_")} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_prints_json_and_nothing_else(tmp_path: Path) -> None:
    parquet(tmp_path, text=[BEE, NEAR, BEE, None])
    done = run(tmp_path, "in.parquet", "--no-semantic", "--json", "--threshold", "0.95", PERSONA_DEDUP_STRATEGY="exact")
    found = json.loads(done.stdout)
    assert (found["rows"], found["kept"], found["removed"]["exact"], found["set_aside"]["null"]) == (4, 2, 1, 1)
    assert found["settings"]["threshold"] == 0.95
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["in.parquet"]


def test_the_command_prints_a_summary_and_where_it_wrote(tmp_path: Path) -> None:
    parquet(tmp_path, text=[BEE, NEAR, BEE])
    done = run(tmp_path, "in.parquet", "--no-semantic", "--out", "o.jsonl", "--report", "r.md", "--strategy", "minhash")
    assert done.returncode == 0, done.stderr
    assert all(
        said in done.stdout for said in ("removed by", "33.33%", "recall, lexical", "peak memory", "written to o.jsonl")
    )
    assert {path.name for path in tmp_path.iterdir()} == {"in.parquet", "o.jsonl", "r.md"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("missing.parquet",), "error: missing.parquet: no such file"),
        (("in.parquet", "--threshold", "1.5"), "error: --threshold 1.5: give a number above 0"),
        (("in.parquet", "--semantic-threshold", "0"), "error: --semantic-threshold 0.0: give a number above 0"),
        (("in.parquet", "--threshold", "nan"), "error: --threshold nan"),
        (("in.parquet", "--memory-mb", "5"), "error: --memory-mb 5: give 1024 at least"),
        (("in.parquet", "--strategy", "guess"), "'guess' is not one of"),
    ],
)
def test_wrong_use_of_the_command_exits_with_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    said: str,
) -> None:
    parquet(tmp_path, text=[BEE])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["persona-assets", "dedup", *arguments])
    assert run_cli() == 2
    done = capsys.readouterr()
    assert done.out == ""
    assert said in done.err


def test_a_terminated_run_leaves_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "hold")
    parquet(tmp_path, text=[BEE, NEAR])
    code = (
        "import persona_assets.dedup.file as f, persona_assets.cli.app as cli; "
        "f._read_verdicts = lambda scratch: open('hold').read(); cli.main()"
    )
    arguments = ["dedup", "in.parquet", "--no-semantic", "--out", "out.parquet"]
    with subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=tmp_path) as process:
        while process.poll() is None and not list(tmp_path.glob(".dedup-*/verdicts.arrow")):
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
    assert {path.name for path in tmp_path.iterdir()} == {"in.parquet", "hold"}


def test_a_long_run_of_embeddings_says_so_once(capsys: pytest.CaptureFixture[str]) -> None:
    for encoding in (False, True):
        with row_progress(encoding=encoding) as told:
            told("reading", 0, None)
            told("reading", 10_000, 20_000)
            assert "--no-semantic" not in capsys.readouterr().err
            told("reading", 10_000, 20_001)
            told("comparing", 10_000, 20_001)
        assert capsys.readouterr().err.count("--no-semantic") == encoding


def test_a_lexical_run_loads_no_model_and_no_engine() -> None:
    code = (
        "import sys, persona_assets.cli.app, persona_assets.cli.run, persona_assets.dedup.file; "
        "print(sorted({'torch', 'transformers', 'dagster', 'duckdb', 'usearch', 'jinja2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
