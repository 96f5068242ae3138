"""Time and memory of holding a large file to a benchmark: `persona-assets decontaminate`.

python -m benchmarks.decontaminate [--rows 1000000] [--items 7000] [--other 0.2]

Rows have 60 words drawn by a seeded generator from 20,000 made-up ones, some common and most rare; of every hundred one
holds 14 words of an item. `--other` is the share of rows in Cyrillic and Chinese letters or with formulas, in equal
parts. What was planted has to be what is found.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measure import measured

GOAL_S = 120.0  # for a million rows, on two cores
WORDS, QUESTION, ANSWER, PLANTED, EVERY = 60, 40, 60, 14, 100
VOCABULARY, GROUP = 20_000, 50_000
_LATIN, _CYRILLIC = (
    ["ka", "lo", "mi", "ter", "dan", "ves", "on", "re", "sul", "pin"],
    ["ка", "ло", "ми", "тер", "дан", "вес", "он", "ре", "сул", "пин"],
)


def vocabulary(syllables: list[str]) -> np.ndarray:
    """Made-up words, each another number written in syllables."""
    return np.array(["".join(syllables[int(digit)] for digit in str(number)) for number in range(1, VOCABULARY + 1)])


def drawn(random: np.random.Generator, words: np.ndarray, rows: int, length: int) -> np.ndarray:
    """Words of rows (rows, length): the first of the vocabulary are the most common."""
    return words[(random.random((rows, length)) ** 3 * len(words)).astype(np.int64)]


def groups(rows: int, other: float, items: np.ndarray, random: np.random.Generator) -> Iterator[pa.Table]:
    """The rows, some at a time."""
    latin, cyrillic = vocabulary(_LATIN), vocabulary(_CYRILLIC)
    chinese = np.array([chr(0x4E00 + number) for number in range(3000)])
    for start in range(0, rows, GROUP):
        count = min(GROUP, rows - start)
        words = drawn(random, latin, count, WORDS)
        planted = np.arange(count) % EVERY == 0
        chosen = random.integers(0, len(items), planted.sum())
        words[planted, 20 : 20 + PLANTED] = items[chosen, 5 : 5 + PLANTED]
        texts = [" ".join(row) for row in words]
        kind = np.where(planted, 1.0, random.random(count))
        for number in np.flatnonzero(kind < other).tolist():
            part = 3 * kind[number] / other
            if part < 1:
                texts[number] = " ".join(drawn(random, cyrillic, 1, WORDS)[0])
            elif part < 2:
                texts[number] = "".join(drawn(random, chinese, 1, 2 * WORDS)[0])
            else:
                texts[number] = f"{texts[number][:250]} $\\frac{{1}}{{2}}x^2 + 1,000\\sin\\theta$"
        yield pa.table({"text": texts})


def write(folder: Path, rows: int, count: int, other: float) -> tuple[Path, Path, int]:
    """The file, the benchmark, and how many rows hold a piece of it."""
    random = np.random.default_rng(7)
    latin = vocabulary(_LATIN)
    items = drawn(random, latin, count, QUESTION)
    answers = drawn(random, latin, count, ANSWER)
    benchmark, file = folder / "benchmark.jsonl", folder / "rows.parquet"
    with benchmark.open("w", encoding="utf-8") as lines:
        for question, answer in zip(items, answers, strict=True):
            lines.write(json.dumps({"question": " ".join(question), "answer": " ".join(answer)}) + "\n")
    with pq.ParquetWriter(file, pa.schema({"text": pa.string()}), compression="zstd") as writer:
        for table in groups(rows, other, items, random):
            writer.write_table(table)
    return file, benchmark, sum((min(GROUP, rows - start) + EVERY - 1) // EVERY for start in range(0, rows, GROUP))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--items", type=int, default=7_000)
    parser.add_argument("--other", type=float, default=0.2)
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        place = Path(folder)
        file, benchmark, planted = write(place, arguments.rows, arguments.items, arguments.other)
        command = [sys.executable, "-m", "persona_assets", "decontaminate", str(file), "--against", str(benchmark)]
        usage = measured([*command, "--out", str(place / "clean.parquet"), "--json"])
    outcome = json.loads(usage.output)
    assert outcome["contaminated"] == planted, f"{planted:,} rows were planted, {outcome['contaminated']:,} found"
    figures = {
        "rows": arguments.rows,
        "items": arguments.items,
        "found": planted,
        "seconds": round(usage.wall_s, 1),
        "cpu_s": round(usage.cpu_s, 1),
        "peak_mb": round(usage.peak_mb),
        "goal_s": GOAL_S * arguments.rows / 1e6,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
