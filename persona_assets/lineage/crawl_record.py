"""The start of every chain: the record of the crawl file, read again where the file is still there."""

from itertools import takewhile
from pathlib import Path
from typing import Any

import polars as pl

from persona_assets.crawl import VERSION
from persona_assets.crawl.columns import ColumnReader
from persona_assets.crawl.documents import make_document_id
from persona_assets.crawl.examine import item_of
from persona_assets.crawl.items import CrawlFile, Found, Item, Refused
from persona_assets.crawl.normalise import text_of
from persona_assets.crawl.readers import reading
from persona_assets.ids import digest
from persona_assets.lake.schemas import RAW_DOCUMENTS, REJECTED, SHARD_FILES
from persona_assets.lake.store import dump_of
from persona_assets.lineage.find import Finder
from persona_assets.lineage.find import Found as Stored
from persona_assets.lineage.model import Node, Status, Verification, failed, unverified, verdict
from persona_assets.recipes import Recipe
from persona_assets.settings import Settings

NAME = "crawl_record"
BEFORE = {"wet_lines": False}  # what was done before there was a setting for it


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
        record = finder.lake.record(RAW_DOCUMENTS, stored.partition)
        recipe = record.recipe if record else {}
        found = _read_again(path, stored, settings_then(settings, recipe))
        if found.status is Status.FAILED and recipe.get("code") != VERSION:
            found = unverified(NAME, f"an earlier version read it otherwise: {found.detail}")
        node.verifications.append(found)
    return node


def settings_then(settings: Settings, recipe: Recipe) -> Settings:
    """The settings of now, but for those that shaped a partition of `raw_documents`: these as they were."""
    return settings.model_copy(update=BEFORE | dict(recipe.get("settings", {})))


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

    Raises:
        OSError: the file cannot be read.
    """
    columns = ColumnReader(settings.column_map)
    with path.open("rb"), reading(CrawlFile(path, path.name), settings, offset) as source:
        records = (record for record in source.records if record.offset is None or record.offset >= offset)
        here = takewhile(lambda record: record.offset == offset, records)
        return [item_of(record, source.layout, columns, settings) for record in here]


def _same_document(found: Found, row: dict[str, Any]) -> Verification:
    now = {
        "content_digest": digest(text_of(found).encode("utf-8")),
        "url": found.url,
        "record_id": found.record_id,
        "fetched_at": found.fetched_at,
        "kind": found.kind,
        **({} if row["licence"] is None else {"licence": found.licence}),  # null also where it was not read once
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
    now = make_document_id(dump, found.url, digest(text_of(found).encode("utf-8")))
    return verdict(NAME, now == row["row_id"], f"the record is now the document {now}")
