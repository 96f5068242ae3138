"""A small language model that learns from released rows of opposite poles. python -m benchmarks.poles FOLDER [ROWS]

FOLDER holds files of Machine Mindset's release: `en_energy_extraversion.json`, `en_energy_introversion.json` and
`dpo_energy_i_e.json`. ROWS of each pole (96) are trained on, of the pairs half as many. Runs the commands that a user
would, in a folder of its own, and replaces its own section of RESULTS.md. The base is a package: `make demo-llm`
installs it.
"""

import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from benchmarks.measure import clean_environment, measured

ROWS, HELD_OUT = 96, 60
POLES = {"e": "en_energy_extraversion", "i": "en_energy_introversion"}
PAIRS = "dpo_energy_i_e"
BASE, TRAIN = "packaged:smollm2", {"epochs": 1, "batch": 8, "warmup": 0.1, "length": 512, "lora": {"rank": 16}}
RESULTS = Path(__file__).with_name("RESULTS.md")
HEAD = "## Opposite poles, learnt by a small language model\n"
TEMPLATE = """{head}
Written by `python -m benchmarks.poles` on {date}: {cores} cores, Python {python}, load average {load:.1f}, no GPU. SmolLM2-135M-Instruct
learns from the released English rows of Machine Mindset: {rows} of a pole by LoRA of rank 16, an epoch in batches of 8, and from
{pairs} pairs of that release by DPO. All in {minutes:.0f} minutes. Held out: {held} rows of each pole, whose instructions nobody is
trained on, and {held} pairs.

Nats per token of an answer; less is better. Intervals at 95 %, by instruction.

| rows of | base | trained on E | E minus base | trained on I | I minus base | E minus I |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
{table}

Pairs of which the chosen answer is the likelier one, by token: {preferred}.
"""


def part(source: str, **columns: str) -> list[dict[str, Any]]:
    """Rows of a file as a recipe takes them."""
    return [{"dataset": "external_rows", "where": {"source": source}, "columns": columns}]


def recipes(rows: int) -> dict[str, Any]:
    """The recipes by name: one with a model for each pole, one for the pairs."""
    answers = {"prompt": "prompt", "response": "response"}
    suites = [
        {"id": f"of_{pole}", "kind": "loss", "rows": part(source, **answers), "size": HELD_OUT}
        for pole, source in POLES.items()
    ]
    manner = {"id": "manner", "kind": "sft", "size": rows, "rows": part("{source}", **answers)}
    pairs = {"prompt": "prompt", "chosen": "response", "rejected": "rejected"}
    preference = {"id": "preference", "kind": "dpo", "size": rows // 2, "rows": part(PAIRS, **pairs)}
    return {
        "manner": {
            "title": "The manner of one pole",
            "base": BASE,
            "over": {"source": list(POLES.values())},
            "held_out": {"size": HELD_OUT},
            "stages": [{**manner, "train": {**TRAIN, "rate": 3e-4}}],
            "evaluate": {"batch": 8, "suites": suites},
        },
        "preference": {
            "title": "One pole over the other",
            "base": BASE,
            "held_out": {"size": HELD_OUT},
            "stages": [{**preference, "train": {**TRAIN, "rate": 5e-4}}],
            "evaluate": {"batch": 8, "suites": [{"id": "pairs", "kind": "preference", "of": "preference"}]},
        },
    }


def run(place: Path, *command: str, **settings: str) -> str:
    """What a command of ours prints in that folder."""
    own = {"TASKS": str(place / "tasks"), "LAKE": str(place / "lake"), "DUMPS": str(place / "dumps"), **settings}
    environment = {**clean_environment(), **{f"PERSONA_{name}": value for name, value in own.items()}}
    environment["DAGSTER_HOME"] = str(place)
    return measured([sys.executable, "-m", "persona_assets", *command], environment).output


def span(row: Mapping[str, Any], name: str) -> str:
    """A difference with its interval."""
    value, low, high = (row[name + end] for end in ("", "_low", "_high"))
    return f"{value:+.3f} ({low:+.3f} to {high:+.3f})"


def whole(results: list[dict[str, Any]], **wanted: str) -> dict[str, Any]:
    """The one figure that is of all strata and languages."""
    return next(
        row
        for row in results
        if row["stratum"] is row["of_language"] is None and all(row[name] == one for name, one in wanted.items())
    )


def line(pole: str, alone: Mapping[str, Any], both: Mapping[str, Any]) -> str:
    """What base and models make of the rows of one pole."""
    suite = f"of_{pole}"
    base, *tuned = (
        whole(alone[f"manner-{source}"]["results"], suite=suite, system=system)
        for source, system in [(POLES["e"], "base"), *((source, "tuned") for source in POLES.values())]
    )
    from_base = [whole(alone[f"manner-{source}"]["results"], suite=suite, system="base") for source in POLES.values()]
    apart = whole(both["results"], suite=suite, recipe=f"manner-{POLES['i']}")
    cells = [f"{base['value']:.3f}"]
    for one, minus in zip(tuned, from_base, strict=True):
        cells += [f"{one['value']:.3f}", span(minus, "tuned_minus")]
    back = {name: -apart[f"minus_reference{end}"] for name, end in [("d", ""), ("d_low", "_high"), ("d_high", "_low")]}
    return f"| {pole.upper()} | " + " | ".join([*cells, span(back, "d")]) + " |"


def write(alone: Mapping[str, Any], both: Mapping[str, Any], rows: int, minutes: float) -> None:
    """Replace the section of RESULTS.md."""
    chosen = alone["preference"]["results"]
    base, tuned = (whole(chosen, suite="pairs", measure="accuracy", system=system) for system in ("base", "tuned"))
    preferred = f"base {base['value']:.1%}, trained {tuned['value']:.1%}"
    points = [100 * base[f"tuned_minus{end}"] for end in ("", "_low", "_high")]
    preferred += f"; {points[0]:+.1f} points ({points[1]:+.1f} to {points[2]:+.1f})"
    moved = whole(chosen, suite="pairs", measure="reward_accuracy", system="tuned")
    preferred += f". The training moved {moved['value']:.1%} of them apart in the right direction"
    text = TEMPLATE.format(
        head=HEAD,
        date=datetime.now(UTC).date(),
        cores=os.cpu_count(),
        python=platform.python_version(),
        load=os.getloadavg()[0],
        rows=rows,
        pairs=rows // 2,
        minutes=minutes,
        held=HELD_OUT,
        table="\n".join(line(pole, alone, both) for pole in POLES),
        preferred=preferred,
    )
    before, _, rest = RESULTS.read_text(encoding="utf-8").partition(HEAD)
    _, mark, after = rest.partition("\n## ")
    RESULTS.write_text(before.rstrip("\n") + "\n\n" + text + (mark + after), encoding="utf-8")
    print(text)


def main() -> None:
    folder, rows = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else ROWS
    began = time.monotonic()
    with TemporaryDirectory() as name:
        place = Path(name)
        (place / "tasks" / "external").mkdir(parents=True)
        (place / "tasks" / "recipes").mkdir()
        (place / "dumps").mkdir()  # no page is read
        for source in (*POLES.values(), PAIRS):
            file = next(folder.rglob(f"{source}.json"))
            shutil.copy(file, place / "tasks" / "external" / file.name)
        for recipe, told in recipes(rows).items():
            (place / "tasks" / "recipes" / f"{recipe}.yaml").write_text(yaml.safe_dump(told, sort_keys=False))
        print(run(place, "run", DATASETS="evaluation", RECIPES="manner,preference"), file=sys.stderr)
        of_e, of_i = (f"manner-{source}" for source in POLES.values())
        print(run(place, "evaluation", of_e, of_i), file=sys.stderr)
        alone = {
            recipe: json.loads(run(place, "evaluation", recipe, "--json")) for recipe in (of_e, of_i, "preference")
        }
        both = json.loads(run(place, "evaluation", of_e, of_i, "--json"))
    write(alone, both, rows, (time.monotonic() - began) / 60)


if __name__ == "__main__":
    main()
