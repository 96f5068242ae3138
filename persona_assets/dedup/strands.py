"""Which texts are compared with each other by meaning, by which encoder, and from which cosine on they are near.

By default each script is a *strand* of its own: texts in Latin letters are read by all-MiniLM-L6-v2, which was learned
on English, all others by a multilingual encoder. Across languages there is one strand, and one encoder reads all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from persona_assets.dedup.segments import TextsOf
from persona_assets.dedup.semantic import Limits
from persona_assets.lake import Lake
from persona_assets.lake.vectors import VectorCache
from persona_assets.text.encoder import MULTILINGUAL, load_encoder
from persona_assets.text.scripts import SCRIPTS

LATIN = SCRIPTS.index("Latin")


@dataclass(frozen=True)
class Calibration:
    """What a cosine of 0.9 of all-MiniLM-L6-v2 on English texts is in an encoder.

    `distance` is the factor between the distances, 1 - cosine; `translation` is how much lower a cosine is where the
    texts are in two languages. `benchmarks.encoders` measures both.
    """

    distance: float = 1.0
    translation: float = 0.0

    def limits(self, threshold: float, *, across: bool) -> Limits:
        """The limits that mean what `threshold` means for English."""
        within = threshold + (1 - self.distance) * (1 - threshold)
        return Limits(within, within - self.translation if across else None)


# By encoder; others count as they are.
CALIBRATIONS = {MULTILINGUAL: Calibration(distance=0.8, translation=0.18)}


@dataclass(frozen=True)
class Strand:
    """Texts of some scripts (places in SCRIPTS), which one encoder reads; those within the limits are near."""

    scripts: tuple[int, ...]
    cache: VectorCache
    limits: Limits

    @property
    def name(self) -> str:
        """Its script, or "all"."""
        return SCRIPTS[self.scripts[0]] if len(self.scripts) == 1 else "all"

    @property
    def described(self) -> dict[str, str | float | None]:
        """What decides in it, as JSON values."""
        limits = {"threshold": round(self.limits.within, 4), "threshold_across": self.limits.across}
        if self.limits.across is not None:
            limits["threshold_across"] = round(self.limits.across, 4)
        return {"script": self.name, "encoder": self.cache.encoder.name, **limits}


@dataclass(frozen=True)
class Semantic:
    """The semantic stage: its strands, and where to read the texts of earlier survivors again."""

    strands: Sequence[Strand]
    earlier_texts: TextsOf

    def used(self, encoded: Mapping[str, int]) -> list[dict[str, Any]]:
        """What decided in the strands that have texts, and how many of theirs were encoded, given that by strand."""
        return [
            {**strand.described, "encoded": encoded[strand.name]} for strand in self.strands if encoded.get(strand.name)
        ]


def encoders_told(encoders: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """What `Semantic.used` gives, in words: what was compared, and how many texts by what."""
    told = []
    for one in encoders:
        limits = f"cosine {one['threshold']:g}"
        if one["threshold_across"] is not None:
            limits += f", across scripts {one['threshold_across']:g}"
        name = "in all scripts" if one["script"] == "all" else f"in {one['script']} script"
        told.append((f"compared by meaning, {name}", f"{one['encoded']:,} texts by {one['encoder']}, {limits}"))
    return told


def make_strands(lake: Lake, encoder: str, threshold: float, max_unknown: float, *, across: bool) -> list[Strand]:
    """The strands of an encoder by name or folder, or of the packaged ones where the name is empty.

    Vectors are kept in `lake`, apart for each encoder; texts with a share of unknown tokens above `max_unknown` have
    none. `threshold` is what it means for English. No weights are loaded before a text is encoded.

    Raises:
        PersonaAssetsError: an encoder cannot be loaded.
    """

    def made(name: str, *scripts: int) -> Strand:
        if name not in caches:
            caches[name] = VectorCache(lake, load_encoder(name), max_unknown)
        limits = CALIBRATIONS.get(name, Calibration()).limits(threshold, across=across)
        return Strand(scripts, caches[name], limits)

    caches: dict[str, VectorCache] = {}
    if across:
        return [made(encoder or MULTILINGUAL, *range(len(SCRIPTS)))]
    return [made(encoder or ("" if script == LATIN else MULTILINGUAL), script) for script in range(len(SCRIPTS))]
