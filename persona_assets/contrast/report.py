"""What the checks make of all pairs of a file, read in batches; meaning is measured on a sample of each language."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
import polars as pl

from persona_assets.contrast.files import Places, read_pairs
from persona_assets.contrast.meaning import pair_vectors
from persona_assets.contrast.probe import LEAST, Probe, stance_probe
from persona_assets.contrast.reasons import BY_TEXT, CEILING, TOO_ALIKE, pair_checks
from persona_assets.contrast.words import KINDS, has_word
from persona_assets.errors import UsageError
from persona_assets.progress import Stages
from persona_assets.text.encoder import PACKAGED, encoder_of

SAMPLE = 5_000  # pairs of a language that are encoded
EXAMPLES = 3  # pairs shown for each check
SIDES = ("one", "other")
NOT_MEASURED = f"not measured: fewer than {LEAST} instructions"


@dataclass(frozen=True)
class Example:
    """A pair that a check is about; `row` counts from 1."""

    row: int
    detail: str
    instruction: str
    one: str
    other: str


@dataclass(frozen=True)
class Meaning:
    """How far the answers in one language differ in meaning."""

    language: str
    pairs: int
    sampled: int  # pairs whose answers were encoded: of those that are neither identical nor empty
    encoder: str
    above: int = 0  # of these: pairs whose answers have a cosine above the ceiling
    median: float | None = None  # cosine
    probe: Probe | None = None  # None: not measured

    def as_dict(self) -> dict[str, Any]:
        """It as JSON values."""
        return {
            **vars(self),
            "probe": self.probe.as_dict() if self.probe else f"not measured: fewer than {LEAST} pairs",
        }


@dataclass
class Report:
    """What was found in pairs; each check counts by itself, and a pair may be in several."""

    files: tuple[str, ...]
    sides: tuple[str, str]
    ceiling: float
    pairs: int = 0
    standing: int = 0  # pairs that no check by text is about
    repeated: int = 0  # pairs whose instruction a pair before them has
    checks: Counter[str] = field(default_factory=Counter)  # pairs by check, of `BY_TEXT`
    words: dict[str, list[int]] = field(default_factory=dict)  # by kind: answers of each side with such a word
    named: list[int] = field(default_factory=lambda: [0, 0])  # answers of each side with a word of any kind
    meaning: list[Meaning] = field(default_factory=list)  # by language, the most frequent first
    examples: dict[str, list[Example]] = field(default_factory=lambda: defaultdict(list))

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON values; every check is there, if with 0."""
        return {
            **vars(self),
            "checks": {name: self.checks[name] for name in BY_TEXT},
            "meaning": [one.as_dict() for one in self.meaning],
            "examples": {name: [vars(one) for one in found] for name, found in self.examples.items()},
        }


def check_pairs(
    places: Places,
    language: str | None = None,
    encoder: str = "",
    *,
    ceiling: float = CEILING,
    sample: int = SAMPLE,
    seed: int = 0,
    progress: Stages | None = None,
) -> Report:
    """Check the pairs of files; memory holds one batch, the sample and 8 bytes for each instruction.

    `language` (ISO 639-1) is that of rows that do not say theirs, `encoder` a name or folder for all languages. The
    sample of a language does not depend on the order of rows; `seed` draws the probe's folds.

    Raises:
        UsageError: files that are not as they have to be; see `read_pairs`.
        PersonaAssetsError: a damaged file, or an encoder that cannot be loaded.
    """
    tell = progress or (lambda stage, done, total: None)
    files = tuple(str(path) for path in (places.one, places.other) if path)
    report = Report(files, places.sides, ceiling, words={kind: [0, 0] for kind in KINDS})
    asked: set[bytes] = set()
    counts: Counter[str] = Counter()
    samples: dict[str, pl.DataFrame] = {}
    tell("reading", 0, None)
    for batch in read_pairs(places, language):
        checks = pair_checks(batch)
        _count(report, batch, checks, asked)
        counts.update(batch["language"].to_list())
        for code, part in _encodable(batch, checks):
            kept = pl.concat([samples[code], part]) if code in samples else part
            samples[code] = kept.bottom_k(sample, by=["lot", "row"]) if kept.height > sample else kept
        tell("reading", report.pairs, None)
    if not report.pairs:
        raise UsageError(f"{places.one} has no rows: there is nothing to check")
    empty = pl.DataFrame(schema={"instruction": pl.String, **dict.fromkeys(SIDES, pl.String), "row": pl.Int64})
    for code, count in sorted(counts.items(), key=lambda one: (-one[1], one[0])):
        found = samples.get(code, empty).sort("row")
        report.meaning.append(_measured(report, code, count, found, encoder, seed, tell))
    return report


def _count(report: Report, batch: pl.DataFrame, checks: pl.DataFrame, asked: set[bytes]) -> None:
    report.pairs += batch.height
    report.standing += checks.filter(pl.all_horizontal(pl.all().is_null())).height
    for text in batch["instruction"]:
        digest = blake2b(text.encode(errors="replace"), digest_size=8).digest()
        report.repeated += digest in asked
        asked.add(digest)
    for place, side in enumerate(SIDES):
        has = batch.select(has_word(pl.col(side), kind).alias(kind) for kind in KINDS)
        for kind, count in has.sum().row(0, named=True).items():
            report.words[kind][place] += count
        report.named[place] += has.filter(pl.any_horizontal(pl.all())).height
    for name in BY_TEXT:
        rows = checks[name].is_not_null().arg_true()
        report.checks[name] += len(rows)
        for row in rows.head(EXAMPLES - len(report.examples[name])):
            report.examples[name].append(_example(batch.row(row, named=True), checks[name][row]))


def _example(pair: dict[str, Any], detail: str) -> Example:
    return Example(pair["row"], detail, pair["instruction"], pair["one"], pair["other"])


def _encodable(batch: pl.DataFrame, checks: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """The pairs whose meaning may be compared, by language, each with its lot: a digest of its texts."""
    fit = batch.filter(checks["identical"].is_null() & checks["empty"].is_null())
    joined = (f"{asked}\0{one}\0{other}" for asked, one, other in fit.select("instruction", *SIDES).iter_rows())
    lots = [blake2b(text.encode(errors="replace"), digest_size=8).digest() for text in joined]
    drawn = fit.with_columns(lot=pl.Series([int.from_bytes(lot, "big") for lot in lots], dtype=pl.UInt64))
    for (code,), part in drawn.group_by("language", maintain_order=True):
        yield str(code), part


def _measured(
    report: Report, language: str, pairs: int, sample: pl.DataFrame, encoder: str, seed: int, tell: Stages
) -> Meaning:
    name = encoder_of(language, encoder)
    done = 0

    def encoded(count: int) -> None:
        nonlocal done
        done += count
        tell(f"encoding {language}", done // 2, sample.height)

    if not sample.height:
        return Meaning(language, pairs, 0, name or PACKAGED)
    one, other = pair_vectors(sample, name, encoded)
    cosines = np.einsum("nd,nd->n", one, other)
    for row in np.argsort(-cosines, kind="stable")[: EXAMPLES - len(report.examples[TOO_ALIKE])].tolist():
        if cosines[row] > report.ceiling:
            pair = sample.row(row, named=True)
            report.examples[TOO_ALIKE].append(_example(pair, f"cosine {cosines[row]:.3f}"))
    return Meaning(
        language,
        pairs,
        sample.height,
        name or PACKAGED,
        int((cosines > report.ceiling).sum()),
        float(np.median(cosines)),
        stance_probe(one - other, sample["instruction"].to_list(), seed),
    )
