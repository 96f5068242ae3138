"""The demo's pages as typed values, read from the YAML files beside this module."""

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

PACKAGE = "persona_assets.demo"
PARTS = 3
"""Crawl files per dump: enough to show copies that lie in different files."""

Trait = Literal[
    "document",
    "exact_copy",
    "near_copy",
    "recrawl",
    "boilerplate",
    "link_farm",
    "symbols",
    "repeated_lines",
    "too_short",
    "navigation",
    "parked_domain",
    "personal_data",
    "injection",
    "other_language",
    "http_error",
    "binary",
    "binary_text",
    "bad_date",
    "replacement_characters",
    "truncated",
]


class Page(BaseModel):
    """One fetched address. `trait` says what it is in the crawl; everything but `document` is there to be noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(pattern=r"^https://([a-z0-9-]+\.)+example/")
    dump: str
    language: str
    kind: str
    trait: Trait = "document"
    site: str
    title: str
    fetched: date
    body: str = ""
    comments: tuple[str, ...] = ()
    chrome: bool = Field(False, description="Whether navigation and footer stand in the text of a WET record")
    part: int | None = Field(None, ge=0, lt=PARTS, description="Crawl file of the dump; None: by turns")
    status: int = 200
    encoding: Literal["utf-8", "windows-1251", "gb18030"] = "utf-8"
    declared: Literal["header", "meta"] = Field("header", description="Where the encoding is said")
    raw_date: str | None = Field(None, description="Written as it is, in place of the time of the fetch")
    payload_base64: str | None = Field(None, description="Bytes of a page that is not text")

    @cached_property
    def payload(self) -> bytes | None:
        """The bytes of a page that is not text."""
        return None if self.payload_base64 is None else base64.b64decode(self.payload_base64)

    @cached_property
    def order(self) -> str:
        """Place in the crawl: a digest of the address, so that sites and languages are mixed."""
        return hashlib.blake2b(self.url.encode(), digest_size=8).hexdigest()

    @property
    def warc_date(self) -> str:
        """WARC-Date: the day of the fetch and a second of it that follows from the address."""
        if self.raw_date is not None:
            return self.raw_date
        second = timedelta(seconds=int(self.order, 16) % 86_400)
        return (datetime.combine(self.fetched, time(), UTC) + second).strftime("%Y-%m-%dT%H:%M:%SZ")


def edited(body: str, edits: Sequence[tuple[str, str]], url: str) -> str:
    """`body` with each old passage replaced by its new one.

    Raises:
        ValueError: a passage is not there, or is there more than once; the page at `url` needs another edit.
    """
    for old, new in edits:
        if body.count(old) != 1:
            raise ValueError(f"{url}: the edited passage must occur once: {old!r}")
        body = body.replace(old, new)
    return body


def _resolved(entry: Mapping[str, Any], originals: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """`entry` with the fields of the page it copies, and with its edits made."""
    own = {key: value for key, value in entry.items() if key not in ("copy_of", "edits")}
    if "copy_of" not in entry:
        return own
    original = {key: value for key, value in originals[entry["copy_of"]].items() if key != "part"}
    body = edited(original["body"], entry.get("edits", ()), entry["url"])
    # The file's language is only a default, so a copy keeps the language of its original.
    return {**original, **own, "language": original["language"], "body": body}


@cache
def load_pages() -> tuple[Page, ...]:
    """All pages of both dumps, in the order of the YAML files."""
    entries: list[dict[str, Any]] = []
    folder = files(PACKAGE) / "pages"
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".yaml"):
            content = yaml.safe_load(file.read_text(encoding="utf-8"))
            shared = {"dump": content["dump"], "language": content["language"]}
            entries.extend({**shared, **entry} for entry in content["pages"])
    originals = {entry["url"]: entry for entry in entries if "copy_of" not in entry}
    return tuple(Page.model_validate(_resolved(entry, originals)) for entry in entries)


def parts_of(dump: str) -> list[list[Page]]:
    """The dump's pages by crawl file, in crawl order; a clipped record comes last, so that the others stay readable."""
    parts: list[list[Page]] = [[] for _ in range(PARTS)]
    turn = 0
    for page in sorted((page for page in load_pages() if page.dump == dump), key=lambda page: page.order):
        if page.part is None and page.trait != "truncated":
            parts[turn % PARTS].append(page)
            turn += 1
        else:
            parts[PARTS - 1 if page.part is None else page.part].append(page)
    return [sorted(part, key=lambda page: page.trait == "truncated") for part in parts]


def describe() -> dict[str, Any]:
    """What the demo holds: pages and documents in all, and per dump the counts by language, kind and trait."""
    pages = load_pages()
    return {
        "pages": len(pages),
        "documents": sum(page.trait == "document" for page in pages),
        "dumps": {
            dump: {
                "pages": sum(page.dump == dump for page in pages),
                **{
                    f"{field}s": dict(sorted(Counter(getattr(p, field) for p in pages if p.dump == dump).items()))
                    for field in ("language", "kind", "trait")
                },
            }
            for dump in sorted({page.dump for page in pages})
        },
    }
