"""Time and memory of writing a dataset as a folder for training: `persona-assets export`, beside DuckDB and `datasets`.

python -m benchmarks.export [--rows 1000000]

A lake of 20 partitions holds instructions and as many answers: words drawn by a seeded generator from 20,000 made-up
ones, 15 to 60 of them in an instruction and 40 to 400 in an answer. Replaces its own section of RESULTS.md.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
import polars as pl

from benchmarks.decontaminate import _LATIN, drawn, vocabulary
from benchmarks.engines_report import write_section
from benchmarks.measure import Usage, clean_environment, measured
from persona_assets.graph import assets
from persona_assets.lake import Lake, Table
from persona_assets.settings import Settings

RESULTS = Path(__file__).with_name("RESULTS.md")
SHARDS, ROUNDS, LESS = 20, 3, 4  # memory is looked at with so many times fewer rows too
SOURCE, PARENT = "instruction_answers", "instructions"
INSTRUCTION, ANSWER = (15, 60), (40, 400)  # words
GROUP = 5_000  # rows whose texts are drawn at once
BLOCK = 1 << 20  # bytes
ANY = {pl.List: [], pl.String: "x", pl.Int32: 1, pl.Datetime: 0}  # what other columns hold, by type
PEERS = {
    ("DuckDB", "chatml"): """
import duckdb, sys
own, parents, out = sys.argv[1:]
duckdb.sql("SET enable_progress_bar = false")
duckdb.sql(f'''COPY (
    SELECT own.sample_id AS id, own.language,
           [{{role: 'user', content: asked.instruction}}, {{role: 'assistant', content: own.answer}}] AS messages
    FROM read_parquet('{own}') own LEFT JOIN read_parquet('{parents}') asked ON asked.sample_id = own.parent_ids[1])
    TO '{out}' (FORMAT parquet, COMPRESSION zstd, PER_THREAD_OUTPUT true)''')
""",
    ("DuckDB", "plain"): """
import duckdb, sys
own, parents, out = sys.argv[1:]
duckdb.sql("SET enable_progress_bar = false")
duckdb.sql(f'''COPY (SELECT sample_id AS id, * EXCLUDE (sample_id, shard, run_id, created_at, call_id) FROM read_parquet('{own}'))
    TO '{out}' (FORMAT parquet, COMPRESSION zstd, PER_THREAD_OUTPUT true)''')
""",
    ("datasets", "plain"): """
import glob, pathlib, sys
from datasets import Dataset
own, parents, out = sys.argv[1:]
pathlib.Path(out).mkdir()
rows = Dataset.from_parquet(sorted(glob.glob(own)), cache_dir=f"{out}.cache")
rows = rows.rename_column("sample_id", "id").remove_columns(["shard", "run_id", "created_at", "call_id"])
rows.to_parquet(f"{out}/train.parquet")
""",
}
FORMS = ("chatml", "plain")
CONTENDERS = [
    (who, form) for form in FORMS for who in ("ours", "DuckDB", "datasets") if who == "ours" or (who, form) in PEERS
]
TEMPLATE = """## Export

`python -m benchmarks.export` on {date}, {cores} cores, load average at the start {load:.1f}. Where others work on the cores,
CPU seconds say more than seconds. {rows:,} rows of a lake of 20 partitions, {lake:,.0f} MB. *chatml* joins each answer to the
instruction that it was made from; *plain* takes the columns of the answers. DuckDB {duckdb} does the same by one `COPY`;
`datasets` {datasets} by `Dataset.from_parquet(...).to_parquet(...)`, which compresses less. Each in a process of its own, in
turns, medians of {rounds} rounds; ids are counted in what was written. Ours alone verifies what it reads, leaves out rows
without a text, counts, and writes card and digests.

| format | who | s | rows/s | CPU s | MB written | peak MB |
| --- | --- | ---: | ---: | ---: | ---: | ---: |
{lines}

As many bytes of noise, written and synced: {disk_chatml:.1f} s (chatml), {disk_plain:.1f} s (plain); compression takes most of the
time of all three, and none is at the disk's speed. Peak memory of ours with {fewer:,} rows in 5 partitions, chatml: {fewer_peak:,.0f} MB. Goal: the disk's speed, and memory that
does not grow with the rows.
"""


def texts(random: np.random.Generator, words: np.ndarray, rows: int, length: tuple[int, int]) -> list[str]:
    """Texts of so many words, of any length between the two."""
    found: list[str] = []
    for start in range(0, rows, GROUP):
        count = min(GROUP, rows - start)
        lengths = random.integers(*length, count).tolist()
        lines = drawn(random, words, count, length[1])
        found += [" ".join(line[:long]) for line, long in zip(lines, lengths, strict=True)]
    return found


def filled(table: Table, columns: dict[str, object], rows: int) -> pl.DataFrame:
    """A frame of the table: what is not given is the same in all rows."""
    told = {name: columns[name] if name in columns else ANY[type(of)] for name, of in table.polars.items()}
    given = {name: one if isinstance(one, pl.Series | pl.Expr) else pl.lit(one) for name, one in told.items()}
    frame = pl.DataFrame({"_": np.zeros(rows, np.int8)}).with_columns(**given)
    return frame.select(pl.col(name).cast(dtype) for name, dtype in table.polars.items())


def build(folder: Path, count: int, shards: int) -> Lake:
    """A lake of partitions with so many rows each."""
    lake = Lake(str(folder / "lake"))
    tables = {name: assets(Settings(lake=lake.root))[name].table for name in (PARENT, SOURCE)}
    random, words, rows = np.random.default_rng(7), vocabulary(_LATIN), count * shards
    lake.declare()
    for number in range(shards):
        asked, answered = (
            pl.Series([f"smp_{start + number * count + one:032x}" for one in range(count)]) for start in (0, rows)
        )
        key = f"d.{number:04}"
        told = {"shard": key, "language": "en", "model": "m", "task": "t"}
        own: dict[str, dict[str, object]] = {
            PARENT: {"sample_id": asked, "instruction": pl.Series(texts(random, words, count, INSTRUCTION))},
            SOURCE: {
                "sample_id": answered,
                "answer": pl.Series(texts(random, words, count, ANSWER)),
                "parent_ids": asked.reshape((count, 1)).arr.to_list(),
            },
        }
        for name, table in tables.items():
            lake.write(table, key, filled(table, told | own[name], count), "r")
    return lake


def once(who: str, form: str, lake: Lake, folder: Path) -> tuple[Usage, int]:
    """One run and the bytes that it wrote, into a folder that is gone afterwards; its ids are counted."""
    with TemporaryDirectory(dir=folder) as place:
        out = f"{place}/out"
        own, parents = (f"{lake.root}/{name}/*/*.parquet" for name in (SOURCE, PARENT))
        told = ["-m", "persona_assets", "export", SOURCE, "--format", form, "--lake", lake.root, "--out", out]
        arguments = told if who == "ours" else ["-c", PEERS[who, form], own, parents, out]
        offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": f"{place}/home", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
        usage = measured([sys.executable, *arguments], clean_environment() | offline)
        files = list(Path(out, "data" if who == "ours" else "").glob("*.parquet"))
        rows = duckdb.sql(f"SELECT count(DISTINCT id) FROM read_parquet({[str(file) for file in files]})").fetchall()
        stored = duckdb.sql(f"SELECT count(*) FROM read_parquet('{own}')").fetchall()
        assert rows == stored, f"{who} {form}: {rows} of {stored} rows"
        return usage, sum(file.stat().st_size for file in files)


def disk(folder: Path, size: int) -> float:
    """Seconds that it takes to write so many bytes and have them on the disk."""
    block, started = os.urandom(BLOCK), time.monotonic()
    with (folder / "blocks").open("wb") as file:
        for _ in range(size // BLOCK):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    took = time.monotonic() - started
    (folder / "blocks").unlink()
    return took


def line(who: str, form: str, rows: int, runs: list[tuple[Usage, int]]) -> dict[str, Any]:
    """The medians of some runs."""
    seconds = median(usage.wall_s for usage, _ in runs)
    return {
        "form": form,
        "who": who,
        "seconds": seconds,
        "rows_s": rows / seconds,
        "cpu_s": median(usage.cpu_s for usage, _ in runs),
        "written": runs[0][1],
        "peak_mb": median(usage.peak_mb for usage, _ in runs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    arguments, load = parser.parse_args(), os.getloadavg()[0]
    runs: dict[tuple[str, str], list[tuple[Usage, int]]] = {one: [] for one in CONTENDERS}
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "fewer").mkdir()
        count = arguments.rows // SHARDS
        lake, fewer = build(folder, count, SHARDS), build(folder / "fewer", count, SHARDS // LESS)
        for _ in range(ROUNDS):
            for one in CONTENDERS:
                runs[one].append(once(*one, lake, folder))
                print(*one, asdict(runs[one][-1][0]), file=sys.stderr)
        small, _ = once("ours", "chatml", fewer, folder)
        lines = [line(*one, arguments.rows, runs[one]) for one in CONTENDERS]
        disks = {one["form"]: disk(folder, one["written"]) for one in lines if one["who"] == "ours"}
        size = sum(file.stat().st_size for file in Path(lake.root).rglob("*.parquet"))
    section = TEMPLATE.format(
        date=datetime.now(UTC).date(),
        cores=os.cpu_count(),
        load=load,
        rows=arguments.rows,
        lake=size / 1e6,
        duckdb=version("duckdb"),
        datasets=version("datasets"),
        rounds=ROUNDS,
        lines="\n".join(
            f"| {one['form']} | {one['who']} | {one['seconds']:.1f} | {one['rows_s']:,.0f} | {one['cpu_s']:.1f} "
            f"| {one['written'] / 1e6:,.0f} | {one['peak_mb']:,.0f} |"
            for one in lines
        ),
        disk_chatml=disks["chatml"],
        disk_plain=disks["plain"],
        fewer=arguments.rows // LESS,
        fewer_peak=small.peak_mb,
    )
    write_section(RESULTS, section)
    print(section, file=sys.stderr)
    print(json.dumps({"lines": lines, "disk_s": disks, "fewer_peak_mb": small.peak_mb}))


if __name__ == "__main__":
    main()
