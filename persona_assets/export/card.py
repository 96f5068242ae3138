"""The card of an exported folder: what is in it, where that comes from, and how to trace a row.

Names may be anybody's: they are values of the YAML header, and text in the Markdown below it.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, dataclass, field

import yaml

from persona_assets.export.origin import UNKNOWN, Origin
from persona_assets.export.rows import COUNTED, Rows
from persona_assets.quality.page import measures
from persona_assets.view import markdown
from persona_assets.view.blocks import Block, Cell, Code, Lines, Section, Table, facts, left, right
from persona_assets.view.numbers import percent

ABOUT = "Synthetic data: models wrote these rows, from personas found in web text."
OF_GIVEN = "Synthetic data: models wrote these rows, from personas that somebody else published."
OF_FILES = "Synthetic data: models wrote these rows, from what stands in data files."
_OFFLINE = "offline"  # the model of the engine that phrases answers by templates
_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)
_KIND = {"dpo": "dpo", "chatml": "sft", "alpaca": "sft", "sharegpt": "sft"}


@dataclass
class Written:
    """Rows that were written, by the values of `COUNTED` in its order, and rows that were left out, by reason."""

    rows: Counter[tuple[str | None, ...]] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)

    def by(self, *names: str) -> Counter[tuple[str | None, ...]]:
        """The rows by some of the columns that they are counted by."""
        places = [list(COUNTED.values()).index(name) for name in names]
        found: Counter[tuple[str | None, ...]] = Counter()
        for values, rows in self.rows.items():
            found[tuple(values[place] for place in places)] += rows
        return found

    @property
    def splits(self) -> dict[str, int]:
        """The rows of each split, by name."""
        return {str(split): rows for (split,), rows in sorted(self.by("split").items(), key=str)}

    @property
    def languages(self) -> list[str]:
        """The languages of the rows, sorted."""
        return sorted(language for (language,) in self.by("language") if language)


def card(rows: Rows, written: Written, found: Origin) -> str:
    """The text of the card."""
    header = yaml.safe_dump(_header(rows, written), sort_keys=False, allow_unicode=True)
    body = Section(
        (Code(rows.job.source),),
        [Lines([ABOUT if found.pages else OF_GIVEN if found.given else OF_FILES]), *_sections(rows, written, found)],
    )
    return f"---\n{header}---\n\n{markdown.render(body, level=1)}\n"


def _header(rows: Rows, written: Written) -> dict[str, object]:
    total, form = written.rows.total(), rows.job.form
    files = [{"split": name, "path": f"data/{name}-*.parquet"} for name in written.splits]
    return {
        "license": rows.job.licence,
        "language": written.languages,
        "size_categories": [next((name for most, name in _SIZES if total < most), "n>10M")],
        "task_categories": ["text-generation"],
        "tags": ["synthetic", "personas", *([_KIND[form]] if form in _KIND else [])],
        "configs": [{"config_name": "default", "data_files": files}],
    }


def _sections(rows: Rows, written: Written, found: Origin) -> list[Block]:
    return [
        _contents(rows, written),
        Section("Rows", [_counts(written, "split", "language", "mode"), _counts(written, "dump", "model")]),
        Section("Who was asked", [Lines([_ASKED]), _asked(found)]),
        Section("Sources", _sources(rows, found)),
        Section("Left out", [Lines(_left_out(rows, written, found)), _aside(found)]),
        *([Section("Diversity", [Lines([_DIVERSITY]), measures([rows.quality])])] if rows.quality else []),
        Section("Limits", [Lines(_limits(rows, found))]),
        Section("Trace a row", [Lines([_TRACE])]),
    ]


_ASKED = "Prompts and models of this dataset and of all that it was made from. Rows are those of the asset in the lake."
_READ_FROM = "Pages that personas were read from, by crawl release."
_READ_OR_GIVEN = "Pages that personas were read from, and personas that came as such, by release."
_OF_PAGES = (
    "Texts may repeat what the web says, with its errors and views; personas are as the pages are, not as people.",
    "The licence of a page is that of its owner. Few sources say it; what else is known, a person told.",
)
_DIVERSITY = "As persona-assets quality measured the whole dataset; its documentation says what the figures are."
_TRACE = (
    Code("persona-assets audit ID"),
    ", with the id of a row and the lake that it came from, shows and verifies its origin, down to the page or file.",
)


def _contents(rows: Rows, written: Written) -> Block:
    told = [(name, (Code(str(place)),)) for name, place in rows.told.items()]
    return facts(
        [
            ("dataset", (Code(rows.dataset.name),)),
            *([("view", (Code(rows.view.name),))] if rows.view else []),
            ("format", rows.job.form),
            *told,
            ("licence", (Code(rows.job.licence),)),
            ("rows", f"{written.rows.total():,}"),
            ("made from", (Code(rows.digest),)),
        ]
    )


def _row(texts: Iterable[str | None], rows: int) -> list[Cell]:
    """Names, and a figure."""
    return [*((Code(text or ""),) for text in texts), f"{rows:,}"]


def _counts(written: Written, *names: str) -> Block:
    """Rows by some columns; those that no row has a value for are left out."""
    there = [name for name in names if any(value is not None for (value,) in written.by(name))]
    lines = sorted(written.by(*there).items(), key=lambda one: tuple(value or "" for value in one[0]))
    return Table([*left(*there), *right("rows")], [_row(values, rows) for values, rows in lines])


def _asked(found: Origin) -> Block:
    heads = [*left("asset", "prompt", "version", "digest", "turn or system", "model", "revision"), *right("rows")]
    return Table(heads, [_row(astuple(one), rows) for one, rows in found.asked.items()])


def _sources(rows: Rows, found: Origin) -> list[Block]:
    """Crawl releases and data files, as far as there are such."""
    blocks = list[Block]()
    dumps = sorted({*found.pages, *found.given})
    if dumps or not found.files:
        kinds = {"pages": found.pages, **({"personas": found.given} if found.given else {})}
        cells = [
            [(Code(dump),), *(f"{counts[dump]:,}" for counts in kinds.values()), _licence(dump, rows, found)]
            for dump in dumps
        ]
        heads = [*left("release"), *right(*kinds), *left("licence")]
        blocks += [Lines([_READ_FROM if not found.given else _READ_OR_GIVEN]), Table(heads, cells)]
    if found.files:
        files = [_row(names, count) for names, count in sorted(found.files.items()) if count]
        blocks += [
            Lines(["Data files that rows hang on."]),
            Table([*left("table", "partition"), *right("rows")], files),
        ]
    return blocks


def _licence(dump: str, rows: Rows, found: Origin) -> Cell:
    """The licence of a release: what a person told, else what the source names, else unknown."""
    told = rows.job.sources.get(dump) or ", ".join(sorted(found.licences.get(dump, ())))
    return (Code(told),) if told else UNKNOWN


def _left_out(rows: Rows, written: Written, found: Origin) -> list[str | tuple[str | Code, ...]]:
    here = [(Code(reason), f": {count:,}") for reason, count in sorted(written.left_out.items())]
    said: list[str | tuple[str | Code, ...]] = []
    if rows.selected is not None:
        said.append(f"Rows that the view selects: {rows.selected:,} of {found.kept[rows.dataset.name]:,}.")
    said.append(f"Rows that the format has no place for: {written.left_out.total():,}.")
    return [*said, *here, "Below: what was set aside on the way, by asset and reason, in the whole lake."]


def _aside(found: Origin) -> Block:
    cells = [
        ((Code(asset),), f"{found.kept[asset]:,}", (Code(reason),), f"{count:,}")
        for asset, reasons in found.aside.items()
        for reason, count in reasons.most_common()
    ]
    return Table([*left("asset"), *right("kept"), *left("reason"), *right("set aside")], cells)


def _limits(rows: Rows, found: Origin) -> list[str | tuple[str | Code, ...]]:
    held: list[str | tuple[str | Code, ...]] = [
        (
            "Of ",
            Code(asset),
            ", rows that share a long piece with an item of a benchmark were set aside:",
            *_listed(names),
        )
        for asset, names in found.benchmarks.items()
    ]
    return [
        "Models err: answers may be wrong, and nobody has read them all.",
        *(_OF_PAGES if found.pages else ()),
        f"Near-duplicates among the rows were {_near(rows)}, and none was left out for it.",
        *(held or ["The rows were held to no benchmark: items of one may be among them."]),
        *(["The engine offline wrote rows: they are for trying the pipeline, not for training."] * _by_offline(found)),
    ]


def _near(rows: Rows) -> str:
    """How many rows another one stands for, if that was measured."""
    if rows.quality is None:
        return "not measured"
    twins, among = rows.quality.duplicates, rows.quality.rows
    return f"measured: {twins:,} of {among:,} ({percent(twins, among)})"


def _listed(names: set[str]) -> tuple[str | Code, ...]:
    return tuple(piece for name in sorted(names) for piece in (" ", Code(name)))


def _by_offline(found: Origin) -> bool:
    return _OFFLINE in found.models
