"""The start of every chain: the record of the crawl file, read again where the file is still there."""

from pathlib import Path
from typing import Any

import polars as pl

from persona_assets.crawl.items import CrawlFile, Found, Item, Refused, Skipped
from persona_assets.crawl.normalise import normalise
from persona_assets.crawl.open import open_crawl_file
from persona_assets.crawl.readers import reading
from persona_assets.crawl.warc import read_warc
from persona_assets.ids import digest
from persona_assets.lake.schemas import REJECTED, SHARD_FILES
from persona_assets.lineage.find import Finder
from persona_assets.lineage.find import Found as Stored
from persona_assets.lineage.model import Node, Verification, failed, unverified, verdict
from persona_assets.lineage.verify import document_id
from persona_assets.settings import Settings

NAME = "crawl_record"


def crawl_node(finder: Finder, settings: Settings, stored: Stored) -> Node:
    """The crawl record of a document, or of what the first hop rejected, with its verification `crawl_record`.

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
        item = record_at(path, stored.row["record_offset"], stored.row.get("format"), settings)
    except OSError as error:
        return unverified(NAME, f"the crawl file cannot be read: {error.strerror or error}")
    if stored.table is REJECTED:
        return _same_reject(item, stored)
    if isinstance(item, Found):
        return _same_document(item, stored.row)
    if isinstance(item, Refused) and item.reason == "too_large":
        return unverified(NAME, "the record is larger than PERSONA_MAX_DOCUMENT_BYTES is now")
    seen = f"is refused now: {item.reason}, {item.detail}" if isinstance(item, Refused) else "holds no document now"
    return failed(NAME, f"the place {seen}")


def record_at(path: Path, offset: int, layout: str | None, settings: Settings) -> Item | None:
    """What a crawl file holds at an offset (a row number in Parquet), or None; `layout` is a document's `format`.

    WARC and WET are read from the offset on, so that not every page before it is parsed; other files from the start.

    Raises:
        OSError: the file cannot be read.
    """
    if layout in ("warc", "wet"):
        with open_crawl_file(path) as opened:
            # A broken compressed stream has several stretches; offsets go on over the breaks.
            while opened.stream.skip(offset - opened.stream.offset) and opened.stream.offset < offset:
                opened.stream.resume()
            if opened.stream.offset != offset:
                return None
            return next(read_warc(opened.stream, settings.max_document_bytes), None)
    with reading(CrawlFile(path, path.name), settings) as source:
        return next((item for item in source.items if item.offset == offset), None)


def _same_document(found: Found, row: dict[str, Any]) -> Verification:
    now = {
        "content_digest": digest(normalise(found.text).encode("utf-8")),
        "url": found.url,
        "record_id": found.record_id,
        "fetched_at": found.fetched_at,
    }
    different = [f"{name} {row[name]!r}, the record has {value!r}" for name, value in now.items() if row[name] != value]
    return verdict(NAME, not different, "the document has " + "; ".join(different))


def _same_reject(item: Item | None, stored: Stored) -> Verification:
    row = stored.row
    if isinstance(item, Refused):
        return verdict(NAME, item.reason == row["reason"], f"the record is now refused as {item.reason}")
    if item is None or isinstance(item, Skipped):
        return failed(NAME, "the crawl file holds no document there")
    if not row["row_id"].startswith("doc_"):
        return unverified(NAME, "the record is there; its rejection names its place, not its content")
    dump = stored.partition.rpartition(".")[0]
    now = document_id(dump, item.url, digest(normalise(item.text).encode("utf-8")))
    return verdict(NAME, now == row["row_id"], f"the record is now the document {now}")
