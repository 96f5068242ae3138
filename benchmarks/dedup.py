"""Near-duplicate removal against its peers, from Parquet to survivors. python -m benchmarks.dedup [--rows 100000,1000000]

Every contender is a process of its own, run one after the other; of several rounds the fastest run counts. Nothing is
pinned. `dedup_peers` says how the peers are used, `dedup_quality` what recall and precision are. Figures go to
RESULTS.md, and as JSON to the last line of stdout.
"""

import argparse
import importlib.util
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
from polars import selectors

from benchmarks.dedup_incremental import incremental
from benchmarks.dedup_input import generate, read_texts
from benchmarks.dedup_peers import LEXICAL, SEMANTIC, THRESHOLD
from benchmarks.dedup_quality import (
    SAMPLE,
    Mask,
    Score,
    cosine_neighbours,
    draw_sample,
    lexical_neighbours,
    named_precision,
    score,
)
from benchmarks.dedup_report import render, write_section
from benchmarks.measure import Usage, measured

HERE = Path(__file__).parent
PERSONA_HUB = HERE.parent.parent / "shared/data/persona_hub/data/tool.jsonl"
VECTORS_FROM = "sentence-transformers"  # runs first and leaves its vectors for those who are given them
TEN_MILLION = 10_000_000
ROUNDS_UP_TO = 100_000  # rows; above, one run takes long enough to say something
SLOW_S = 300  # a peer that would take longer by its speed at the size before is not run
ROUNDING = 1e-5  # cosines this near the threshold may fall on either side by the order of fp32 sums


@dataclass(frozen=True)
class Result:
    """One contender on one input."""

    contender: str
    rows: int
    wall_s: float
    cpu_s: float
    peak_mb: float
    flagged: int
    quality: Score | None = None


@dataclass(frozen=True)
class Contender:
    """A name, and the command that reads a Parquet file and writes another."""

    name: str
    command: Callable[[Path, Path], list[str]]

    @property
    def ours(self) -> bool:
        return self.name.startswith("ours")

    @property
    def installed(self) -> bool:
        package = self.name.partition(" ")[0].replace("-", "_")
        return self.ours or importlib.util.find_spec(package) is not None


def our_command(*options: str) -> Callable[[Path, Path], list[str]]:
    head = [sys.executable, "-m", "persona_assets", "dedup"]
    fixed = ["--column", "text", "--threshold", str(THRESHOLD), *options]
    return lambda file, out: [*head, str(file), *fixed, "--out", str(out)]


def peer_command(name: str, *more: str) -> Callable[[Path, Path], list[str]]:
    return lambda file, out: [sys.executable, "-m", "benchmarks.dedup_peers", name, str(file), str(out), *more]


def lexical_contenders() -> list[Contender]:
    ours = [
        Contender(f"ours {name}", our_command("--no-semantic", "--strategy", name)) for name in ("exact", "minhash")
    ]
    return [*ours, *(Contender(name, peer_command(name)) for name in LEXICAL)]


def compete(
    contenders: Sequence[Contender], file: Path, rows: int, rounds: int
) -> tuple[list[Result], dict[str, pl.DataFrame]]:
    """The fastest of `rounds` runs of each contender, and what it wrote, by row. Runs of one contender are apart."""
    best: dict[str, Usage] = {}
    written: dict[str, pl.DataFrame] = {}
    for number in range(rounds):
        for contender in contenders:
            out = file.with_name("out.parquet")
            usage = measured(contender.command(file, out))
            say(f"{contender.name}, {rows:,} rows, run {number + 1} of {rounds}: {usage.wall_s:.1f} s")
            if contender.name not in best or usage.wall_s < best[contender.name].wall_s:
                best[contender.name] = usage
            columns = selectors.by_name("row", "keep", "survivor", require_all=False)  # peers name no survivor
            written[contender.name] = pl.scan_parquet(out).select(columns).sort("row").collect()
            out.unlink()
    for name, frame in written.items():
        if not np.array_equal(frame["row"], np.arange(rows)):
            raise SystemExit(f"{name} wrote {frame.height:,} rows, or not each of the {rows:,} once")
    results = [
        Result(name, rows, usage.wall_s, usage.cpu_s, usage.peak_mb, int((~written[name]["keep"]).sum()))
        for name, usage in best.items()
    ]
    return results, written


def lexical(file: Path, rows: int, contenders: Sequence[Contender], rounds: int, seed: int) -> list[Result]:
    results, written = compete(contenders, file, rows, rounds)
    kept = {name: mask(frame) for name, frame in written.items()}
    say(f"brute force on a sample of {rows:,} rows")
    near = lexical_neighbours(file, draw_sample(list(kept.values()), seed), THRESHOLD)
    return [replace(result, quality=score(near, kept[result.contender])) for result in results]


def semantic(file: Path, rows: int, names: set[str] | None) -> list[Result]:
    """Text in, survivors out; then the peer's vectors given to both."""
    vectors = file.with_name("vectors.npy")
    contenders = [
        Contender(VECTORS_FROM, peer_command(VECTORS_FROM, str(vectors))),
        Contender("ours text in", our_command("--semantic")),
        *(Contender(name, peer_command(name, str(vectors))) for name in SEMANTIC if name != VECTORS_FROM),
    ]
    chosen = [one for one in contenders if one.name == VECTORS_FROM or wanted(one, names)]
    results, written = compete(chosen, file, rows, 1)
    say(f"all cosines of {rows:,} rows")
    encoded = np.load(vectors)
    surely, perhaps = (cosine_neighbours(encoded, THRESHOLD + sign * ROUNDING) for sign in (1, -1))

    def quality(name: str) -> Score:
        kept = mask(written[name])
        found = replace(score(surely, kept), precision=score(perhaps, kept).precision)
        if name == "ours text in":  # its lexical hop removes rows too: each by the survivor that it names
            texts = pl.read_parquet(file)["text"]
            found = replace(found, precision=named_precision(written[name], texts, encoded, THRESHOLD, ROUNDING))
        return found

    return [replace(result, quality=quality(result.contender)) for result in results]


def affordable(contender: Contender, rows: int, cap: int, before: Sequence[Result]) -> bool:
    if contender.ours:
        return True
    speeds = [result.rows / result.wall_s for result in before if result.contender == contender.name]
    slow = bool(speeds) and rows / speeds[-1] > SLOW_S
    if slow or rows > cap:
        say(f"{contender.name} is not run on {rows:,} rows: " + ("too slow" if slow else "above --peer-rows-cap"))
    return not slow and rows <= cap


def wanted(contender: Contender, names: set[str] | None) -> bool:
    if not contender.installed:
        say(f"{contender.name} is not installed (pip install -e '.[bench]')")
    return contender.installed and (names is None or contender.name in names)


def mask(frame: pl.DataFrame) -> Mask:
    return frame["keep"].to_numpy()


def write_input(file: Path, texts: Sequence[str]) -> None:
    pl.DataFrame({"text": texts}).write_parquet(file)


def bundled_personas(folder: Path) -> list[str]:
    """The English personas of the demo, which makes them from the bundled crawl in about a minute."""
    say("persona-assets demo, for its personas")
    measured(["env", "-C", str(folder), sys.executable, "-m", "persona_assets", "demo"])
    rows = pl.scan_parquet(folder / "lake/filtered_personas/*/data.parquet").filter(pl.col("language") == "en")
    return rows.select("text").unique().sort("text").collect()["text"].to_list()


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def run(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    source = arguments.source or (PERSONA_HUB if PERSONA_HUB.exists() else None)
    texts = read_texts(source) if source else bundled_personas(folder)
    names = set(arguments.contenders.split(",")) if arguments.contenders else None
    file = folder / "input.parquet"
    results: list[Result] = []
    words = 0.0
    sizes = [int(size) for size in arguments.rows.split(",") if size] + [TEN_MILLION] * arguments.ten_million
    for rows in sizes:
        made = generate(texts, rows, arguments.seed)
        words = words or sum(len(text.split()) for text in made) / rows
        write_input(file, made)
        del made  # the texts of ten million rows are not held while contenders run
        chosen = [one for one in lexical_contenders() if wanted(one, names)]
        chosen = [one for one in chosen if affordable(one, rows, arguments.peer_rows_cap, results)]
        rounds = arguments.repeat or (3 if rows <= ROUNDS_UP_TO else 1)
        results += lexical(file, rows, chosen, rounds, arguments.seed)
    figures: dict[str, Any] = {
        "source": source.name if source else "the demo's English personas",
        "source_texts": len(texts),
        "seed": arguments.seed,
        "mean_words": words,
        "threshold": THRESHOLD,
        "sample": 2 * SAMPLE,
        "lexical": [asdict(result) for result in results],
    }
    if rows := arguments.semantic_rows:
        write_input(file, generate(texts, rows, arguments.seed))
        figures["semantic"] = [asdict(result) for result in semantic(file, rows, names)]
    if rows := arguments.incremental_rows:
        say(f"incremental: {rows:,} rows, then {rows // 100:,}")
        figures["incremental"] = incremental(generate(texts, rows + rows // 100, arguments.seed), rows // 100, folder)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--source",
        type=Path,
        help="Parquet, JSONL or text file (default: Persona Hub's where present, or the demo's personas)",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", default="100000,1000000", help="sizes of the lexical part, from small to large")
    parser.add_argument("--ten-million", action="store_true", help="ours on 10 million rows too")
    parser.add_argument("--repeat", type=int, default=0, help="rounds (default: 3 up to 100,000 rows, then 1)")
    parser.add_argument("--peer-rows-cap", type=int, default=1_000_000, help="peers are not run on more rows")
    parser.add_argument("--semantic-rows", type=int, default=30_000, help="0: leave this part out")
    parser.add_argument("--incremental-rows", type=int, default=1_000_000, help="0: leave this part out")
    parser.add_argument("--contenders", help="names, comma separated with no space (default: all)")
    parser.add_argument("--results", type=Path, default=HERE / "RESULTS.md", help="file whose section is replaced")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        figures = run(arguments, Path(folder))
    section = render(figures)
    write_section(arguments.results, section)
    say(section)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
