"""Whether intervals of evaluations hold what they promise, and what grading makes of real right answers.

python -m benchmarks.evaluation [--trials 1000] [--problems FILE...]

Pages are simulated: problems of one are easy or hard together, gain more or less, and seeds are better or worse. FILE is
a benchmark with answers, such as GSM8K's test.jsonl: every right answer is said in two ways, and the next problem's is
held against it. Replaces its own section of RESULTS.md.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.engines_report import write_section
from benchmarks.export import RESULTS
from persona_assets.evaluation.benchmarks import read_problems
from persona_assets.evaluation.grades import grades
from persona_assets.evaluation.grading import Grader
from persona_assets.evaluation.measured import Measured
from persona_assets.evaluation.results import results
from persona_assets.evaluation.seeds import pooled
from persona_assets.evaluation.statistics import difference
from persona_assets_tests.evaluation.simulated import answers, evaluation, expected

CASES = [(15, 1, 0.0), (60, 1, 0.0), (200, 1, 0.0), (60, 3, 0.0), (60, 3, 0.3), (60, 3, 1.0), (200, 5, 0.5)]
FORMS = ("So the answer is $\\boxed{{{}}}$.", "The answer is ${}$.")
TEMPLATE = """## Evaluation

`python -m benchmarks.evaluation` on {date}, {cores} cores, load average at the start {load:.1f}. {trials:,} simulated evaluations a row: pages of one
to five problems, easy or hard together, which gain more or less; seeds better or worse by so many logits. How often the 95 % interval
of tuned minus base holds the true difference, and how often two equal recipes, among three, are told apart.

| pages | seeds | spread by seed | holds the truth | seeds left out of account | equal recipes told apart |
| ---: | ---: | ---: | ---: | ---: | ---: |
{rows}

Right answers of real problems, each said in two ways, and those of the next problem in their place (0 of these may be `correct`, but where
both are the same):

| file | problems | own: correct | next: wrong | s |
| --- | ---: | ---: | ---: | ---: |
{graded}

{count:,} grades in {seconds:.1f} s become {figures} figures with their intervals.
"""


def held(families: int, seeds: int, by_seed: float, trials: int) -> tuple[float, float, float]:
    """Shares of intervals that hold the truth, with and without the seeds, and of equal recipes that are told apart."""
    base, tuned = expected(by_seed)
    rng = np.random.default_rng(7)
    hits = without = false = 0
    for _ in range(trials):
        before, after, of = evaluation(rng, families, seeds, by_seed)
        second = Measured.of(before, of)
        for alone in (False, True):
            found = difference(Measured.of(after.mean(axis=1) if alone else after, of), second, shares=True)
            holds = found.low is not None and found.high is not None and found.low <= tuned - base <= found.high
            hits, without = hits + (holds and not alone), without + (holds and alone)
        false += told_apart(rng, families, seeds, by_seed)
    return hits / trials, without / trials, false / trials


def told_apart(rng: np.random.Generator, families: int, seeds: int, by_seed: float) -> bool:
    """Whether the first two of three equal recipes differ by their interval."""
    _, after, of = evaluation(rng, families, 3 * seeds, by_seed)
    systems = [Measured.of(after[:, at * seeds : (at + 1) * seeds], of) for at in range(3)]
    means = [one.seed_means for one in systems]
    found = difference(systems[0], systems[1], shares=True, seeds=pooled(means, means[0], means[1]))
    return found.low is not None and found.high is not None and (found.low > 0 or found.high < 0)


def graded(path: Path) -> str:
    """A row of the table of real problems."""
    problems = list(read_problems(path, path.name, language="en"))
    started = time.monotonic()
    with Grader() as grader:
        own = Counter(grader.grade(one.gold, form.format(one.gold)).verdict for one in problems for form in FORMS)
        others = [(one, other) for one, other in pairwise(problems) if one.gold != other.gold]
        following = Counter(grader.grade(one.gold, FORMS[0].format(other.gold)).verdict for one, other in others)
    seconds = time.monotonic() - started
    right, wrong = f"{own['correct']:,} of {own.total():,}", f"{following['wrong']:,} of {following.total():,}"
    return f"| {path.name} | {len(problems):,} | {right} | {wrong} | {seconds:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--problems", type=Path, nargs="*", default=[])
    arguments, load = parser.parse_args(), os.getloadavg()[0]
    rows, shares = [], {}
    for families, seeds, by_seed in CASES:
        holds, without, false = held(families, seeds, by_seed, arguments.trials)
        shares[f"{families}/{seeds}/{by_seed}"] = holds
        told = f"{without:.1%} | {false:.1%}" if seeds > 1 else " | "
        rows.append(f"| {families} | {seeds} | {by_seed} | {holds:.1%} | {told} |")
        print(rows[-1], file=sys.stderr)
    data = grades(answers(*evaluation(np.random.default_rng(0), 8000, seeds=3, by_seed=0.3)))
    started = time.monotonic()
    figures = results(data).height
    seconds = time.monotonic() - started
    section = TEMPLATE.format(
        date=datetime.now(UTC).date(),
        cores=os.cpu_count(),
        load=load,
        trials=arguments.trials,
        rows="\n".join(rows),
        graded="\n".join(map(graded, arguments.problems)) or "| none given | | | | |",
        count=data.height,
        seconds=seconds,
        figures=figures,
    )
    write_section(RESULTS, section)
    print(section, file=sys.stderr)
    print(json.dumps({"holds": shares, "results_s": seconds}))


if __name__ == "__main__":
    main()
