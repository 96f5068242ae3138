"""Time and memory of `persona-assets quality`: with every text to be encoded first, and with all vectors stored.

python -m benchmarks.quality [--rows 100000]

The rows are made of the English texts of `people.yaml` as `benchmarks.dedup_input` makes them, near-copies among them.
Replaces its own section of RESULTS.md.
"""

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import yaml

from benchmarks.dedup_input import generate
from benchmarks.engines_report import write_section
from benchmarks.export import PARENT, RESULTS, filled
from benchmarks.measure import Usage, clean_environment, measured
from persona_assets.graph import assets
from persona_assets.lake import Lake
from persona_assets.settings import Settings

SHARDS, LESS = 10, 5  # memory is looked at with so many times fewer rows too
TEMPLATE = """## Diversity of a dataset

`python -m benchmarks.quality` on {date}, {cores} cores, load average at the start {load:.1f}. `persona-assets quality` on {rows:,}
texts about people, a fifth of them copies or near-copies, in {shards} partitions: near-duplicates by the core of dedup, lexical and semantic,
distinct-n, self-BLEU, Vendi score and coverage. No peer measures all of these in one command, so there is no ratio here.

| what | s | CPU s | peak MB |
| --- | ---: | ---: | ---: |
| every text encoded first | {first.wall_s:.1f} | {first.cpu_s:.1f} | {first.peak_mb:,.0f} |
| all vectors stored | {again.wall_s:.1f} | {again.cpu_s:.1f} | {again.peak_mb:,.0f} |
| all vectors stored, {fewer:,} rows | {less.wall_s:.1f} | {less.cpu_s:.1f} | {less.peak_mb:,.0f} |

1,000 new rows take {each:.1f} s more, for their vectors. Goal: 100,000 rows with vectors stored in 3 minutes, in bounded memory.
"""


def people() -> list[str]:
    """The English texts about people."""
    told = yaml.safe_load(Path(__file__).with_name("people.yaml").read_text(encoding="utf-8"))["en"]
    values = [value for one in told for value in one.values()]
    return sorted({text for value in values for text in (value if isinstance(value, list) else [value])})


def build(folder: Path, texts: list[str], shards: int) -> Lake:
    """A lake with these texts as instructions."""
    lake = Lake(str(folder / "lake"))
    table, count = assets(Settings(lake=lake.root))[PARENT].table, len(texts) // shards
    lake.declare()
    for number in range(shards):
        own = pl.Series(texts[number * count : (number + 1) * count])
        ids = pl.Series([f"smp_{number * count + one:032x}" for one in range(count)])
        key = f"d.{number:04}"
        told: dict[str, object] = {"shard": key, "language": "en", "model": "m", "task": "t"}
        lake.write(table, key, filled(table, told | {"sample_id": ids, "instruction": own}, count), "r")
    return lake


def once(lake: Lake) -> Usage:
    """One run; every row is counted."""
    command = [sys.executable, "-m", "persona_assets", "quality", "--dataset", PARENT, "--json", "--lake", lake.root]
    usage = measured(command, clean_environment() | {"HF_HUB_OFFLINE": "1"})
    [dataset] = json.loads(usage.output)["datasets"]
    rows = sum(group["rows"] for group in dataset["groups"])
    print(f"{rows:,} rows: {usage.wall_s:.1f} s, {usage.peak_mb:,.0f} MB", file=sys.stderr)
    return Usage(usage.wall_s, usage.cpu_s, usage.peak_mb)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    arguments, load = parser.parse_args(), os.getloadavg()[0]
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "fewer").mkdir()
        texts = generate(people(), arguments.rows)
        lake = build(folder, texts, SHARDS)
        fewer = build(folder / "fewer", texts[: arguments.rows // LESS], SHARDS // LESS)
        first, again = once(lake), once(lake)
        once(fewer)
        less = once(fewer)
    section = TEMPLATE.format(
        date=datetime.now(UTC).date(),
        cores=os.cpu_count(),
        load=load,
        rows=arguments.rows,
        shards=SHARDS,
        first=first,
        again=again,
        less=less,
        fewer=arguments.rows // LESS,
        each=(first.wall_s - again.wall_s) / arguments.rows * 1000,
    )
    write_section(RESULTS, section)
    print(section, file=sys.stderr)
    print(json.dumps({"first_s": first.wall_s, "again_s": again.wall_s, "peak_mb": again.peak_mb}))


if __name__ == "__main__":
    main()
