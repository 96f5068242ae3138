"""What `persona-assets dedup FILE` is asked to do, and what came of it."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from persona_assets.dedup.keys import Scheme
from persona_assets.dedup.survivors import METHODS
from persona_assets.dedup.writing import ADDED, SURVIVOR_FILE
from persona_assets.files.text_column import REASONS


@dataclass(frozen=True)
class Job:
    """What to do with a file."""

    path: Path
    scheme: Scheme
    column: str | None = None  # None: see `files.text_column`
    semantic: float | None = None  # least cosine; None: texts are compared by their words only
    encoder: str = ""
    across: bool = False  # whether texts of several scripts are compared by their embeddings
    max_unknown: float = 0.2
    memory: int = 2048 << 20  # bytes
    out: Path | None = None
    report: Path | None = None
    part: int | None = None  # rows decided at once, where not as many as the memory holds
    against: tuple[Path, ...] = ()  # other files, whose rows stand
    only_kept: bool = False  # whether rows that are not kept are left out of `out`

    @property
    def added(self) -> tuple[str, ...]:
        """The columns that written rows gain."""
        return (*ADDED, SURVIVOR_FILE) if self.against else ADDED


@dataclass
class Outcome:
    """What came of a file: counts, and what the comparison took."""

    file: str
    column: str
    settings: dict[str, Any]
    rows: int = 0
    kept: int = 0
    removed: Counter[str] = field(default_factory=Counter)  # by method
    set_aside: Counter[str] = field(default_factory=Counter)  # by reason
    near_pairs: Counter[str] = field(default_factory=Counter)  # by stage
    candidates: int = 0  # pairs compared by their words
    skipped: int = 0  # pairs of groups of near-copies that nothing depended on, not compared
    recall: dict[str, float] = field(default_factory=dict)  # by stage, estimated
    not_compared: int | None = None  # kept rows in a script that no encoder knows; None where only words are compared
    encoders: list[dict[str, Any]] = field(default_factory=list)  # by strand with texts, see `Semantic.used`
    similarity: dict[str, list[float] | list[int]] = field(default_factory=dict)  # bins, removed rows by method and bin
    parts: int = 0
    seconds: float = 0.0
    seconds_by_step: dict[str, float] = field(default_factory=dict)
    peak_memory_mb: int = 0
    against: dict[str, dict[str, int]] = field(default_factory=dict)  # by other file: its rows, and rows removed for it

    @property
    def estimated_recall(self) -> dict[str, float]:
        """By stage, where near pairs may be missed: by MinHash, or an index of the embeddings that missed some."""
        missing = {"lexical": "minhash_recall" in self.settings, "semantic": self.recall.get("semantic", 1.0) < 1}
        return {stage: share for stage, share in sorted(self.recall.items()) if missing[stage]}

    def as_dict(self) -> dict[str, Any]:
        """The outcome as JSON values; every method and reason is there, if with 0."""
        return {
            **vars(self),
            "removed": {method: self.removed[method] for method in METHODS},
            "set_aside": {reason: self.set_aside[reason] for reason in REASONS},
            "near_pairs": dict(self.near_pairs),
        }
