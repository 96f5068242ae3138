"""The start of every chain: the record of the crawl file, read again where the file is still there."""

from itertools import takewhile
from pathlib import Path
from typing import Any

import polars as pl

from persona_assets.crawl.arc import read_arc
from persona_assets.crawl.documents import make_document_id
from persona_assets.crawl.items import CrawlFile, Found, Item, Refused
from persona_assets.crawl.normalise import normalise
from persona_assets.crawl.readers import reading
from persona_assets.crawl.warc import read_warc
from persona_assets.files.detect import HEAD_BYTES, detect_layout
from persona_assets.files.open import open_crawl_file
from persona_assets.ids import digest
from persona_assets.lake.schemas import REJECTED, SHARD_FILES
from persona_assets.lake.store import dump_of
from persona_assets.lineage.find import Finder
from persona_assets.lineage.find import Found as Stored
from persona_assets.lineage.model import Node, Verification, failed, unverified, verdict
from persona_assets.settings import Settings

NAME = "crawl_record"


def crawl_node(finder: Finder, settings: Settings, stored: Stored) -> Node:
    """The crawl record of a document, or of what the first step rejected, with its verification `crawl_record`.

    A file that has been deleted since leaves it unverified: crawls are large and seldom kept.
    """
    row = stored.row
    listed = finder.near(SHARD_FILES, pl.col("file") == row["file"], stored.partition)
    manifest = listed[0].row if listed else {}
    offset = row["record_offset"]
    place = {"file": row["file"], "record_offset": offset, "folder": manifest.get("folder")}
    node = Node(
        NAME,
        f"{row['file']}@{'file' if offset is None else offset}",
        SHARD_FILES.name,
        stored.partition,
        place,
    )
    if not manifest:
        node.verifications.append(unverified(NAME, f"the files registered for {stored.partition} do not list it"))
        return node
    folder = Path(settings.dumps).resolve()
    path = (folder / manifest["folder"] / row["file"]).resolve()
    if not path.is_relative_to(folder):
        node.verifications.append(failed(NAME, f"{row['file']!r} leads out of the dumps folder"))
    elif not path.is_file():
        node.verifications.append(unverified(NAME, "the crawl file is gone"))
    elif offset is None:
        node.verifications.append(unverified(NAME, "the file as a whole was refused"))
    else:
        node.verifications.append(_read_again(path, stored, settings))
    return node


def _read_again(path: Path, stored: Stored, settings: Settings) -> Verification:
    try:
        items = records_at(path, stored.row["record_offset"], settings)
    except OSError as error:
        return unverified(NAME, f"the crawl file cannot be read: {error.strerror or error}")
    if stored.table is REJECTED:
        return _same_reject(items, stored)
    found = next((item for item in items if isinstance(item, Found)), None)
    if found:
        return _same_document(found, stored.row)
    refused = next((item for item in items if isinstance(item, Refused)), None)
    if refused and refused.reason == "too_large":
        return unverified(NAME, "the record is larger than PERSONA_MAX_DOCUMENT_BYTES is now")
    if refused:
        return failed(NAME, f"the record is refused now: {refused.reason}, {refused.detail}")
    return failed(NAME, "the crawl file holds no document there")


def records_at(path: Path, offset: int, settings: Settings) -> list[Item]:
    """What a crawl file holds at an offset (a row number in Parquet): mostly one item, none, or a break and a record.

    WARC, WET and ARC are read from the offset on, so that not every page before it is parsed; others from the start.

    Raises:
        OSError: the file cannot be read.
    """
    with open_crawl_file(path) as opened:
        opened.stream.ensure(HEAD_BYTES)
        layout = detect_layout(opened.stream[0:HEAD_BYTES])
        if layout in ("warc", "wet", "arc"):
            # A broken compressed stream has several stretches; offsets go on over the breaks.
            while opened.stream.offset < offset:
                if not opened.stream.skip(offset - opened.stream.offset) and not opened.stream.resume():
                    return []
            read = read_arc if layout == "arc" else read_warc
            items = read(opened.stream, settings.max_document_bytes)
            return list(takewhile(lambda item: item.offset == offset, items))
    with reading(CrawlFile(path, path.name), settings) as source:
        return [item for item in source.items if item.offset == offset]


def _same_document(found: Found, row: dict[str, Any]) -> Verification:
    now = {
        "content_digest": digest(normalise(found.text).encode("utf-8")),
        "url": found.url,
        "record_id": found.record_id,
        "fetched_at": found.fetched_at,
    }
    different = [f"{name} {row[name]!r}, the record has {value!r}" for name, value in now.items() if row[name] != value]
    return verdict(NAME, not different, "the document has " + "; ".join(different))


def _same_reject(items: list[Item], stored: Stored) -> Verification:
    row, dump = stored.row, dump_of(stored.partition)
    if any(isinstance(item, Refused) and item.reason == row["reason"] for item in items):
        return verdict(NAME, True, "")
    found = next((item for item in items if isinstance(item, Found)), None)
    if found is None:
        return failed(NAME, f"the crawl file holds no document there, nor anything refused as {row['reason']}")
    if not row["row_id"].startswith("doc_"):
        return unverified(NAME, "the record is there; its rejection names its place, not its content")
    now = make_document_id(dump, found.url, digest(normalise(found.text).encode("utf-8")))
    return verdict(NAME, now == row["row_id"], f"the record is now the document {now}")
