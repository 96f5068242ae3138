"""The section of RESULTS.md about model calls, from the figures of `engines`."""

import json
import subprocess
import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.dedup_report import HEADING as LAST_SECTION
from benchmarks.dedup_report import machine

HEADING = "## Model calls"
WIDTH = 120  # of a line of Markdown
PEERS = Path(__file__).parent.parent / ".peers"
PACKAGES = {
    "curator": "bespokelabs-curator",
    "data-designer": "data-designer",
    "distilabel": "distilabel",
    "clients": "openai httpx aiohttp uvloop",
}
INTRODUCTION = (
    "`python -m benchmarks.engines` on {date}, {machine}; {versions}. Load average at the start {load:.1f}. One loopback "
    "server in a process of its own (`engines_server`) answers by the prompt; every answer of every contender is checked. "
    "All send the prompts of the extraction hop over the same documents, {in_flight} at once, nothing pinned. Ours is the "
    "whole hop, from documents in the lake to personas, rejects and ledger in the lake. With a server, times are those of "
    "the call that generates, for the requests beyond a first {in_flight}, so nobody's start counts."
)
PEER_NOTE = (
    "curator: an `LLM` over a list, limits of requests and tokens a minute out of the way; DataDesigner: "
    "a seed data set and one LLM column, `max_parallel_requests` {in_flight}; distilabel: `TextGeneration` with "
    "`OpenAILLM`, `input_batch_size` {in_flight}; their caches on, their telemetry off. *schema* asks for "
    "JSON of our schema and checks it (distilabel: JSON mode, no check), *text* takes any text. The clients store nothing."
)
NAMES = {"data_designer": "DataDesigner"}

Figures = dict[str, Any]


def render(figures: Figures) -> str:
    """The section as Markdown."""
    cpu = machine().partition(";")[0]
    date = datetime.now(UTC).date()
    parts = [HEADING, fill(INTRODUCTION.format(date=date, machine=cpu, versions=versions(), **figures))]
    compared = [part for part in ("instant", "delayed") if part in figures]
    if any(len(figures[part]["results"]) > 1 for part in compared):
        parts.append(fill(PEER_NOTE.format(**figures)))
    if "instant" in figures:
        parts += ["### Server that answers at once", instant(figures["instant"]["results"])]
    if "delayed" in figures:
        parts += ["### Server that answers after half a second", delayed(figures["delayed"])]
    if "faulty" in figures:
        parts += ["### Faulty server", faulty(figures["faulty"]["results"])]
    if "hop" in figures:
        parts += ["### The hop without a server", hop(figures["hop"])]
    return "\n\n".join(parts) + "\n"


def write_section(file: Path, section: str) -> None:
    """Put a section in the place of the old one, or where there is none, before the one that ends the file."""
    text = file.read_text(encoding="utf-8") if file.exists() else "# Results\n"
    before, found, after = text.partition(section.partition("\n")[0] + "\n")
    if found:
        _, heading, rest = after.partition("\n## ")
        rest = f"## {rest}" if heading else ""
    else:
        before, heading, rest = text.partition(LAST_SECTION)
        rest = heading + rest
    file.write_text(f"{before.rstrip()}\n\n{section}" + (f"\n{rest}" if rest else ""), encoding="utf-8")


def versions() -> str:
    """Of the packages in the peers' environments, as far as these are there."""
    found = []
    for environment, names in PACKAGES.items():
        python = PEERS / environment / "bin/python"
        if python.exists():
            code = f"import importlib.metadata as m, json; print(json.dumps([m.version(n) for n in {names.split()!r}]))"
            run = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True)
            found += [f"{name} {number}" for name, number in zip(names.split(), json.loads(run.stdout), strict=True)]
    return ", ".join(found) or "no peers installed"


def fill(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_on_hyphens=False, break_long_words=False)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Markdown, the first `left` columns aligned left."""
    rule = ["---"] * left + ["---:"] * (len(columns) - left)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [columns, rule, *rows])


def ratio(first: float, second: float) -> str:
    value = first / second
    return f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def instant(results: Sequence[Figures]) -> str:
    our = results[0]
    rows = [
        [
            NAMES.get(one["contender"], one["contender"]),
            one.get("form", "schema"),
            f"{one['requests']:,}",
            f"{one['per_s']:,.0f}",
            f"{min(one['rates']):,.0f} to {max(one['rates']):,.0f}",
            f"{one['cpu_s']:.1f}",
            f"{one['peak_mb']:,.0f}",
            "" if one is our else ratio(our["per_s"], one["per_s"]),
        ]
        for one in results
    ]
    columns = ("contender", "form", "requests", "requests/s", "rounds", "CPU s", "peak MB", "ours is x")
    return "\n\n".join([table(columns, rows, 2), best(results, "Goal: 4,000/s and 12 times the best framework.")])


def best(results: Sequence[Figures], goal: str) -> str:
    rivals = [one for one in results[1:] if one.get("form", "schema") == "schema"]
    if not rivals:
        return goal
    fastest = max(rivals, key=lambda one: one["per_s"])
    name, our = NAMES.get(fastest["contender"], fastest["contender"]), results[0]["per_s"]
    return fill(f"{goal} Best framework at the same job: {name}; ours is {ratio(our, fastest['per_s'])} times as fast.")


def delayed(figures: Figures) -> str:
    ideal, results = figures["ideal_per_s"], figures["results"]
    rows = [
        [
            NAMES.get(one["contender"], one["contender"]),
            f"{one['requests']:,}",
            f"{one['per_s']:,.0f}",
            f"{one['per_s'] / ideal:.1%}",
            f"{one['server']['most_in_flight']:,}",
            "" if one is results[0] else ratio(results[0]["per_s"], one["per_s"]),
        ]
        for one in results
    ]
    columns = ("contender", "requests", "requests/s", "of the ideal", "most in flight", "ours is x")
    return "\n\n".join([table(columns, rows), best(results, f"Ideal: {ideal:,.0f}/s. Goal: 95 % of it.")])


def faulty(results: Sequence[Figures]) -> str:
    rows = [
        [
            f"{one['delay_s']:g} s",
            f"{one['requests']:,}",
            f"{one['server']['faults_met']:,}",
            f"{one['faultless_s']:.1f}",
            f"{one['seconds']:.1f}",
            ratio(one["seconds"], one["faultless_s"]),
            f"{one['server']['most_paid']}",
            ", ".join(f"{reason} {count}" for reason, count in sorted(one["rejected"].items())) or "none",
        ]
        for one in (run | {"server": with_sum(run["server"])} for run in results)
    ]
    columns = ("answers after", "requests", "faults", "s without", "s with", "times", "most paid per prompt", "rejects")
    note = (
        "A fifth of the requests, drawn by prompt and try: 429, 500, 503, garbage, half a body, closed connection, wrong "
        "schema, refusal, 1 s late. Every document ended as two right personas or as a reject with a reason. Goal: no prompt "
        "paid twice, at most 2 times the time."
    )
    return "\n\n".join([table(columns, rows), fill(note)])


def with_sum(server: Figures) -> Figures:
    return server | {"faults_met": sum(server["faults"].values())}


def hop(figures: Figures) -> str:
    rows = [
        [
            one["run"],
            f"{one['rows']:,}",
            f"{one['calls_made']:,}",
            f"{one['seconds']:.1f}",
            f"{one['per_s']:,.0f}",
            f"{one['cpu_s']:.1f}",
            f"{one['peak_mb']:,.0f}",
        ]
        for one in figures["results"]
    ]
    spread = {name: f"{value:,.0f}" for name, value in figures["characters"].items()}
    note = (
        "An engine in the process answers at once. Documents of {p5} to {p95} characters (5 % to 95 %; median {median}, "
        "mean {mean}), half English, a quarter each Chinese and Russian, one shard. Goal: 10,000 rows/s at a memory "
        "that does not grow with the rows; the second run makes no call, 50,000 rows/s."
    ).format(**spread)
    columns = ("run", "documents", "calls made", "s", "documents/s", "CPU s", "peak MB")
    return "\n\n".join([table(columns, rows), fill(note)])
