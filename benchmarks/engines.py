"""The machinery of model calls against its peers: speed, faults, memory. python -m benchmarks.engines [--only hop,second]

Every contender is a process of its own and asks one loopback server (`engines_server`), which answers by the prompt, so
every answer is checked. All send the prompts of the extraction hop. `make bench-engines` makes the peers' environments
first. Figures go to RESULTS.md, and as JSON to the last line of stdout.
"""

import argparse
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.engines_input import write_documents
from benchmarks.engines_report import Figures, render, write_section
from benchmarks.engines_server import answer
from benchmarks.measure import Usage, clean_environment, measured

PARTS = ("instant", "delayed", "faulty", "hop", "second")
HERE = Path(__file__).parent
PEERS = HERE.parent / ".peers"
FRAMEWORKS = ("curator", "data_designer", "distilabel")
CLIENTS = ("openai", "httpx", "aiohttp")
IN_FLIGHT = 256
DELAY_S = 0.5
SHORT = 1  # paragraphs of a document where requests are counted
MILLION = 1_000_000
# Nothing leaves the machine; what they would fetch or report is switched off by their own switches.
QUIET = {
    "TELEMETRY_ENABLED": "false",
    "NEMO_TELEMETRY_ENABLED": "false",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "OPENAI_API_KEY": "none",
}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def python_of(environment: str) -> Path:
    return PEERS / environment / "bin/python"


@contextmanager
def server(*options: str) -> Iterator[str]:
    """The address of a new server."""
    python = python_of("clients")  # has uvloop
    command = [str(python if python.exists() else sys.executable), str(HERE / "engines_server.py"), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


def stats(address: str) -> Figures:
    with urllib.request.urlopen(f"{address}/stats") as reply:
        return dict(json.load(reply))


# Ours


def child(folder: str, *options: str) -> tuple[Usage, Figures]:
    usage = measured([sys.executable, "-m", "benchmarks.engines_ours", folder, *options])
    return usage, dict(json.loads(usage.output.splitlines()[-1]))


def ours(folder: str, *options: str) -> tuple[Usage, Figures]:
    """What the hop's process used, what it says and what stands in the lake after it."""
    usage, figures = child(folder, *options)
    return usage, figures | child(folder, "--check")[1]


def documents(folder: str, count: int, seed: int, longest: int | None = None) -> Figures:
    """Write them in a process of its own, so that none of its memory is anyone's; their lengths."""
    options = "" if longest is None else f", {longest}"
    code = f"import json; from benchmarks.engines_input import write_documents as write\nprint(json.dumps(write({folder!r}, {count}, {seed}{options})))"
    return dict(json.loads(measured([sys.executable, "-c", code]).output))


def our_run(count: int, seed: int, *options: str) -> tuple[Usage, Figures]:
    """The whole hop against a server with these options; every document is where it should be, or this ends."""
    with TemporaryDirectory() as folder, server(*options) as address:
        write_documents(folder, count, seed, SHORT)
        usage, figures = ours(folder, "--url", f"{address}/v1", "--in-flight", str(IN_FLIGHT))
        seen = stats(address)
    lost = count - figures["right"] - figures["set_aside"] + figures["in_both"]
    if lost or figures["inputs"] != count or figures["in_both"] or ("--faults" not in options and figures["set_aside"]):
        raise SystemExit(f"ours: of {count:,} documents {lost:,} are nowhere or wrong: {figures}")
    return usage, figures | {"server": seen}


def our_requests(count: int, seed: int, *options: str, faults: tuple[str, ...] = ()) -> Figures:
    """Its rate by two sizes, as for its peers."""
    _, few = our_run(IN_FLIGHT, seed, *options)
    usage, many = our_run(IN_FLIGHT + count, seed, *options, *faults)
    kept = {"rejected": many["rejected"], "server": many["server"]}
    return timed("ours", count, few["seconds"], many["seconds"], usage) | kept


def timed(name: str, count: int, few: float, many: float, usage: Usage) -> Figures:
    """The rate of the requests beyond a first load, from the seconds of that load alone and of all."""
    seconds = max(many - few, 1e-9)
    return {
        "contender": name,
        "requests": count,
        "seconds": seconds,
        "per_s": count / seconds,
        "cpu_s": usage.cpu_s,
        "peak_mb": usage.peak_mb,
        "call_s": [few, many],
    }


# Peers


def prompts(file: Path, count: int, seed: int) -> None:
    """What our hop asks about these documents, for the peers to ask the same."""
    with TemporaryDirectory() as folder:
        write_documents(folder, count, seed, SHORT)
        child(folder, "--prompts", str(file))


def peer_run(name: str, rows: list[Figures], form: str, *options: str) -> tuple[float, Usage, Figures]:
    """Seconds of its call that generates; every prompt has its right answer, or this ends."""
    script, environment = ("clients", "clients") if name in CLIENTS else (name, name.replace("_", "-"))
    with TemporaryDirectory() as folder, server(*options) as address:
        source, out = Path(folder, "prompts.json"), Path(folder, "out.json")
        source.write_text(json.dumps(rows))
        python = str(python_of(environment))
        arguments = [f"{address}/v1", str(source), str(out), str(IN_FLIGHT), name if name in CLIENTS else form]
        command = ["env", "-C", folder, python, str(HERE / "engines_peers" / f"{script}.py"), *arguments]
        usage = measured(command, clean_environment() | QUIET | {"HOME": folder})
        written = json.loads(out.read_text())
        seen = stats(address)
    right = {number for number, text in written["answers"] if json.loads(text) == json.loads(answer(number))}
    if len(right) != len(rows) or len(written["answers"]) != len(rows):
        raise SystemExit(
            f"{name}: {len(right):,} right answers of {len(written['answers']):,} to {len(rows):,} prompts"
        )
    return written["seconds"], usage, seen


def peer_requests(name: str, rows: list[Figures], form: str, *options: str) -> Figures:
    """Its rate by two sizes: one load of requests, and all; so its start and its end cost it nothing."""
    few, _, _ = peer_run(name, rows[:IN_FLIGHT], form, *options)
    many, usage, seen = peer_run(name, rows, form, *options)
    return timed(name, len(rows) - IN_FLIGHT, few, many, usage) | {"server": seen}


def present(names: tuple[str, ...], arguments: argparse.Namespace) -> list[str]:
    if arguments.skip_peers:
        return []
    missing = [
        name for name in names if not python_of("clients" if name in CLIENTS else name.replace("_", "-")).exists()
    ]
    if missing:
        say(f"not installed and left out: {', '.join(missing)} (make bench-engines)")
    return [name for name in names if name not in missing]


def middle(rounds: int, once: Callable[[], Figures]) -> Figures:
    """The round of the median rate, with the rates of all."""
    runs = [once() for _ in range(rounds)]
    rates = sorted(run["per_s"] for run in runs)
    chosen = min(runs, key=lambda run: abs(run["per_s"] - median(rates)))
    say(f"  {chosen['contender']}: {chosen['per_s']:,.0f}/s (rounds: {', '.join(f'{rate:,.0f}' for rate in rates)})")
    return chosen | {"rates": rates}


def asked(rows: list[Figures], form: str, options: tuple[str, ...]) -> Callable[[str], Callable[[], Figures]]:
    """Peers by name, ready to run."""
    return lambda name: lambda: peer_requests(name, rows, form, *options)


# Parts


def instant(arguments: argparse.Namespace, rows: list[Figures]) -> Figures:
    """Requests a second where the server answers at once."""
    say("instant server")
    rounds, sent = arguments.rounds, rows[: IN_FLIGHT + arguments.peer_requests]
    found = [middle(rounds, lambda: our_requests(arguments.requests, arguments.seed))]
    for form in ("schema", "text"):
        peer = asked(sent, form, ())
        found += [middle(rounds, peer(name)) | {"form": form} for name in present(FRAMEWORKS, arguments)]
    found += [middle(rounds, asked(sent, "", ())(name)) | {"form": "client"} for name in present(CLIENTS, arguments)]
    return {"results": found}


def delayed(arguments: argparse.Namespace, rows: list[Figures]) -> Figures:
    """Requests a second where an answer takes half a second."""
    say(f"server that answers after {DELAY_S} s")
    options = ("--delay", str(DELAY_S))
    sent = rows[: IN_FLIGHT * (1 + arguments.delayed_loads)]
    count = IN_FLIGHT * round(arguments.requests / IN_FLIGHT)
    found = [middle(1, lambda: our_requests(count, arguments.seed, *options))]
    found += [middle(1, asked(sent, "schema", options)(name)) for name in present(FRAMEWORKS, arguments)]
    return {"ideal_per_s": IN_FLIGHT / DELAY_S, "results": found}


def faulty(arguments: argparse.Namespace, _: list[Figures]) -> Figures:
    """A fifth of the requests meet a fault."""
    found = []
    for delay in (0.0, DELAY_S):
        say(f"faulty server, answers after {delay:g} s")
        options = ("--delay", str(delay))
        without = our_requests(arguments.faulty_requests, arguments.seed, *options)
        faults = ("--faults", str(arguments.seed))
        run = our_requests(arguments.faulty_requests, arguments.seed, *options, faults=faults)
        if run["server"]["most_paid"] != 1:
            raise SystemExit(f"a prompt was answered well and paid {run['server']['most_paid']} times")
        say(f"  {without['seconds']:.1f} s without faults, {run['seconds']:.1f} s with")
        found.append({"delay_s": delay, "faultless_s": without["seconds"], **run})
    return {"results": found}


def hop_row(run: str, rows: int, usage: Usage, figures: Figures) -> Figures:
    if figures["right"] != rows or figures["set_aside"]:
        raise SystemExit(f"{run}: of {rows:,} documents {figures['right']:,} are right: {figures}")
    row = {
        "run": run,
        "rows": rows,
        "seconds": figures["seconds"],
        "per_s": rows / figures["seconds"],
        "cpu_s": usage.cpu_s,
        "peak_mb": usage.peak_mb,
        "calls_made": figures["calls_made"],
    }
    say(f"  {run}, {rows:,} rows: {row['per_s']:,.0f} rows/s, peak {usage.peak_mb:,.0f} MB")
    return row


def hop(arguments: argparse.Namespace, second: bool) -> Figures:
    """The hop with an engine that answers at once, at two sizes; then the larger one again."""
    sizes = [max(arguments.hop_rows // 100, 1), arguments.hop_rows]
    found: list[Figures] = []
    lengths: Figures = {}
    for rows in sizes:
        with TemporaryDirectory() as folder:
            say(f"hop over {rows:,} documents")
            lengths = documents(folder, rows, arguments.seed)
            found.append(hop_row("first run", rows, *ours(folder)))
            if second:
                found.append(hop_row("second run", rows, *ours(folder, "--none")))
                if found[-1]["calls_made"]:
                    raise SystemExit("the second run made calls")
    return {"characters": lengths, "results": found}


def run(arguments: argparse.Namespace) -> Figures:
    chosen = set(arguments.only.split(","))
    figures: Figures = {"seed": arguments.seed, "in_flight": IN_FLIGHT, "load": os.getloadavg()[0]}
    rows: list[Figures] = []
    if chosen & {"instant", "delayed"} and not arguments.skip_peers:
        with TemporaryDirectory() as folder:
            file = Path(folder, "prompts.json")
            most = max(arguments.peer_requests, IN_FLIGHT * arguments.delayed_loads)
            prompts(file, IN_FLIGHT + most, arguments.seed)
            rows = json.loads(file.read_text())
    parts: dict[str, Callable[[argparse.Namespace, list[Figures]], Figures]]
    parts = {"instant": instant, "delayed": delayed, "faulty": faulty}
    figures |= {name: part(arguments, rows) for name, part in parts.items() if name in chosen}
    if chosen & {"hop", "second"}:
        figures["hop"] = hop(arguments, "second" in chosen)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PARTS), help="parts, comma separated (default: all)")
    parser.add_argument("--skip-peers", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3, help="of the instant part; the median counts")
    parser.add_argument("--requests", type=int, default=20_000, help="ours, instant and delayed")
    parser.add_argument("--peer-requests", type=int, default=2_000, help="a peer's, instant")
    parser.add_argument("--delayed-loads", type=int, default=4, help=f"a peer's, delayed, times {IN_FLIGHT}")
    parser.add_argument("--faulty-requests", type=int, default=10_000)
    parser.add_argument("--hop-rows", type=int, default=MILLION, help="documents; the smaller size is a hundredth")
    parser.add_argument("--results", type=Path, default=HERE / "RESULTS.md", help="file whose section is replaced")
    arguments = parser.parse_args()
    if unknown := set(arguments.only.split(",")) - set(PARTS):
        parser.error(f"--only: no part {', '.join(sorted(unknown))} (known: {', '.join(PARTS)})")
    figures: dict[str, Any] = run(arguments)
    section = render(figures)
    write_section(arguments.results, section)
    say(section)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
