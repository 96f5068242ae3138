"""Our verdict on the documents of a file beside those of published filters."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from persona_assets.crawl.columns import ColumnReader
from persona_assets.crawl.documents import BATCH_CHARACTERS, BATCH_ROWS
from persona_assets.crawl.examine import item_of
from persona_assets.crawl.items import CrawlFile, Found
from persona_assets.crawl.normalise import normalise
from persona_assets.crawl.quality import check, judge, language
from persona_assets.crawl.quality.published import FILTERS
from persona_assets.crawl.readers import reading
from persona_assets.errors import UsageError, did_you_mean
from persona_assets.settings import Settings
from persona_assets.text.language import identify
from persona_assets.view import blocks as view

EXAMPLES = 3
_BEGINNING = 60
BOTH, OURS, THEIRS, NEITHER = "both", "ours", "theirs", "neither"


@dataclass
class Comparison:
    """How many texts both keep, ours alone, theirs alone, and neither; examples of those that one alone keeps."""

    name: str
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[dict[str, str]]] = field(default_factory=lambda: {OURS: [], THEIRS: []})

    def add(self, text: str, our_reason: str | None, their_reason: str | None) -> None:
        """Count a text; a reason says that it is refused."""
        fate = (NEITHER if their_reason else THEIRS) if our_reason else (OURS if their_reason else BOTH)
        self.counts[fate] += 1
        if fate in self.examples and len(self.examples[fate]) < EXAMPLES:
            begins = " ".join(text[: 4 * _BEGINNING].split())[:_BEGINNING]
            self.examples[fate].append({"begins": begins, "refused": str(our_reason or their_reason)})

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        counts = {fate: self.counts[fate] for fate in (BOTH, OURS, THEIRS, NEITHER)}
        return {"filter": self.name, **counts, "examples": self.examples}


def compare_files(paths: Sequence[Path], names: Sequence[str], settings: Settings) -> list[Comparison]:
    """Judge every text of these files by our rules and by each filter of `published.FILTERS` that is named.

    Memory does not grow with a file.

    Raises:
        UsageError: there is no such filter, or the settings name a rule that there is not.
    """
    for name in names:
        if name not in FILTERS:
            raise UsageError(f"--compare: there is no filter {name}; {did_you_mean(name, sorted(FILTERS))}")
    check(settings)
    columns = ColumnReader(settings.column_map)
    compared = [Comparison(name) for name in names]
    for path in paths:
        with reading(CrawlFile(path, str(path)), settings) as source:
            pending: list[str] = []
            characters = 0
            for record in source.records:
                item = item_of(record, source.layout, columns, settings)
                if isinstance(item, Found) and item.kind == "page":
                    pending.append(normalise(item.text))
                    characters += len(pending[-1])
                if len(pending) >= BATCH_ROWS or characters >= BATCH_CHARACTERS:
                    compare_texts(pending, compared, settings)
                    pending, characters = [], 0
            compare_texts(pending, compared, settings)
    return compared


def compare_texts(texts: Sequence[str], compared: Sequence[Comparison], settings: Settings) -> None:
    """Add these normalised texts to the comparisons."""
    for text, (code, confidence) in zip(texts, identify(texts), strict=True):
        broken = judge(text, settings)
        wrong_language = None if broken else language(code, confidence, settings)
        ours = f"{broken[0]}: {broken[1]}" if broken else f"language: {wrong_language}" if wrong_language else None
        for one in compared:
            one.add(text, ours, FILTERS[one.name](text))


def blocks(compared: Sequence[Comparison]) -> list[view.Block]:
    """A table of the filters, and examples."""
    rows = [(one.name, *(f"{one.counts[fate]:,}" for fate in (BOTH, OURS, THEIRS, NEITHER))) for one in compared]
    heads = [*view.left("filter"), *view.right("kept by both", "by ours alone", "by theirs alone", "by neither")]
    examples = [
        (one.name if number == 0 else "", fate, view.Code(example["begins"]), view.Code(example["refused"]))
        for one in compared
        for fate in (OURS, THEIRS)
        for number, example in enumerate(one.examples[fate])
    ]
    found: list[view.Block] = [view.Table(heads, rows)]
    if examples:
        found.append(view.Table(view.left("filter", "kept by", "begins", "the other says"), examples))
    found.append(view.Lines(["The filters were made for English: what they refuse in other languages says little."]))
    return [view.Section("Published filters", found)]
