"""From personas of the hub to profiles and scenes, beside another hop over the same personas.

python -m benchmarks.characters [--characters 1000]

An engine that answers at once stands in for a model, so what is timed is ours. Replaces its own section of RESULTS.md.
"""

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from benchmarks.engines_report import write_section
from benchmarks.export import RESULTS, filled
from benchmarks.quality import people
from persona_assets.engines.base import Completion, Request, Result
from persona_assets.engines.offline import OfflineEngine
from persona_assets.lake import Lake
from persona_assets.lake.schemas import DEDUPED_PERSONAS
from persona_assets.settings import Settings
from persona_assets.state import LakeState
from persona_assets.steps.model import Context

HOP = "instructions"
BATCH = 256  # answers that come together
ASSETS = ("character_profiles", "characters", "profile_paragraphs", "statements", "scenes", "distinct_scenes")
ASKING = ("character_profiles", "scenes")
TEMPLATE = """## Characters of the hub

`python -m benchmarks.characters` on {date}, {cores} cores, load average at the start {load:.1f}. {characters:,} personas become
characters by a query, with an engine that answers at once: a profile of eight paragraphs for each, its statements, one prompt for scenes a
paragraph, {scenes:,} scenes of which {distinct:,} differ. No peer makes characters of personas with lineage, so the ratio is to a hop of our own,
`{hop}`, over the same personas by the same engine.

| what | calls | s | calls/s | kB of answers/s |
| --- | ---: | ---: | ---: | ---: |
{rows}

Calls a second of profiles and scenes are {ratio:.2f} of those of `{hop}`, whose answers are short: every rule reads every word, and of text they judge
{by_text:.1f} times as much a second. Peak memory {peak:,.0f} MB.
"""


class AtOnce(OfflineEngine):
    """Answers every prompt at once with what fits it; what it says differs by the number of the call."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.calls = self.bytes = 0

    def stream(self, requests: Iterable[Request]) -> Iterator[list[Result]]:
        waiting = iter(requests)
        while some := list(islice(waiting, BATCH)):
            first = self.calls
            self.calls += len(some)
            texts = [json.dumps(ANSWERS[one.template.name](first + at)) for at, one in enumerate(some)]
            self.bytes += sum(map(len, texts))
            yield [Completion(one.call_id, text, "stop", 400, 200, 0.0) for one, text in zip(some, texts, strict=True)]


WORDS = [
    "harbour",
    "anvil",
    "lantern",
    "barley",
    "violin",
    "orchard",
    "winter",
    "ledger",
    "copper",
    "bridge",
    "thunder",
    "meadow",
    "candle",
    "granite",
]


def words(number: int, count: int) -> str:
    """So many words that differ from number to number."""
    return " ".join(f"{WORDS[(number * 7 + at * at) % len(WORDS)]}{(number + at) % 97}" for at in range(count))


def profile(number: int) -> dict[str, str]:
    """A profile of four stages and four further paragraphs."""
    stages = [
        f"In the spring of life the {words(number + at, 6)} came first. After it the {words(number * 3 + at, 8)} stayed."
        for at in range(4)
    ]
    parts = {
        part: f"There is the {words(number + at * at, 9)}, and beside it the {words(number * 3 + at, 7)}."
        for at, part in enumerate(("people", "places", "beliefs", "way_of_speaking", "unknown_to_them"))
    }
    return {"name": f"Maren Thistle{number}wick", "life": "\n".join(stages), **parts}


def scenes(number: int) -> dict[str, object]:
    """Three scenes."""
    told = [
        {
            "kind": "chat",
            "place": f"By the {words(number + at, 3)}",
            "people": f"a {words(number, 1)}",
            "background": f"The {words(number * 5 + at, 12)} was told, and the {words(number * 11 + at, 9)} is wanted.",
            "rests_on": [1],
        }
        for at in range(3)
    ]
    return {"scenes": told}


ANSWERS = {
    "character_profiles": profile,
    "scenes": scenes,
    HOP: lambda number: {"instruction": f"How do I keep the {words(number, 12)} from the {words(number + 3, 5)}?"},
}


def build(folder: Path, count: int) -> Settings:
    """A lake with so many published personas, and a cast of all of them."""
    profiles = folder / "profiles"
    profiles.mkdir()
    (profiles / "hub.yaml").write_text(f"size: {count}\n", encoding="utf-8")
    settings = Settings(
        lake=str(folder / "lake"), profiles=str(profiles), params={"scenes.count": 3}, languages=("en",)
    )
    lake = Lake(settings.lake)
    lake.declare()
    texts = people()
    told = [f"{texts[number % len(texts)]}, at house number {number}" for number in range(count)]
    ids = pl.Series([f"per_{number:032x}" for number in range(count)])
    values: dict[str, object] = {"persona_id": ids, "text": pl.Series(told), "language": "en", "shard": "d.0000"}
    values |= {"hop": pl.lit(0, pl.Int8)}
    lake.write(DEDUPED_PERSONAS, "d.0000", filled(DEDUPED_PERSONAS, values, count), "r")
    return settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--characters", type=int, default=1000)
    arguments, load = parser.parse_args(), os.getloadavg()[0]
    with TemporaryDirectory() as temporary:
        settings = build(Path(temporary), arguments.characters)
        lake = Lake(settings.lake)
        state = LakeState(lake, settings)
        engine = AtOnce(settings)
        context = Context(lake, settings, engine, "run")
        figures: dict[str, tuple[int, float, int]] = {}
        for name in ("casts", "poles", "cast_members", *ASSETS, HOP):
            keys = ["d.0000"] if name == HOP else ["hub"] if name != "poles" else list(state.keys(name))
            before, size, began = engine.calls, engine.bytes, time.perf_counter()
            for key in keys:
                reports = [report for _, report in state.assets[name].run(context, key)]
            figures[name] = (engine.calls - before, time.perf_counter() - began, engine.bytes - size)
            kept = sum(report.kept for report in reports)
            print(f"{name}: {kept:,} rows, {figures[name][0]:,} calls, {figures[name][1]:.1f} s", file=sys.stderr)
        counts = {name: lake.row_count(state.assets[name].table, "hub") for name in ("scenes", "distinct_scenes")}
    rows = [
        f"| `{name}` | {calls:,} | {s:.1f} | {calls / s:,.0f} | {size / s / 1000:,.0f} |"
        for name, (calls, s, size) in figures.items()
        if calls
    ]
    rows += [
        f"| `{name}` | | {s:.1f} | | |"
        for name, (calls, s, _) in figures.items()
        if not calls and name in ("cast_members", *ASSETS)
    ]
    calls, seconds, size = (sum(figures[name][at] for name in ASKING) for at in (0, 1, 2))
    hop_calls, hop_seconds, hop_size = figures[HOP]
    section = TEMPLATE.format(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        cores=os.cpu_count(),
        load=load,
        characters=arguments.characters,
        scenes=counts["scenes"],
        distinct=counts["distinct_scenes"],
        hop=HOP,
        rows="\n".join(rows),
        ratio=(calls / seconds) / (hop_calls / hop_seconds),
        by_text=(size / seconds) / (hop_size / hop_seconds),
        peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )
    print(section)
    write_section(RESULTS, section)


if __name__ == "__main__":
    main()
