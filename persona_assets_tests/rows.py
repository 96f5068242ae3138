"""Rows for tests that need a table but not the hop that makes it."""

from datetime import UTC, datetime
from typing import Any

import polars as pl

from persona_assets.engines.offline import OfflineEngine
from persona_assets.lake import Lake, Table
from persona_assets.lake.schemas import CALLS, REJECTED
from persona_assets.lake.store import Draft
from persona_assets.progress import Progress
from persona_assets.settings import Settings
from persona_assets.steps.model import Context

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SHARD = "d.0000"


def document(name: str, **values: Any) -> dict[str, Any]:
    """A document row with id doc_<name>."""
    row = {
        "document_id": f"doc_{name}",
        "url": f"https://{name}.example/",
        "dump": "d",
        "file": "f.wet",
        "format": "wet",
        "record_offset": 0,
        "record_id": None,
        "fetched_at": None,
        "language": "en",
        "language_confidence": 0.9,
        "text": f"Text of {name}.",
        "characters": 10,
        "content_digest": name,
        "kind": "page",
        "lines_removed": 0,
        "shard": SHARD,
        "run_id": "run",
        "created_at": NOW,
    }
    return row | values


def persona(name: str, document: str, **values: Any) -> dict[str, Any]:
    """A persona row with id per_<name>."""
    row = {
        "persona_id": f"per_{name}",
        "document_id": f"doc_{document}",
        "parent_persona_id": None,
        "relation": "read",
        "hop": 0,
        "text": f"A person called {name} of no importance",
        "language": "en",
        "granularity": "fine",
        "call_id": f"call_{name}",
        "template": "text_to_persona",
        "template_version": 1,
        "model": "m",
        "shard": SHARD,
        "run_id": "run",
        "created_at": NOW,
    }
    return row | values


def verdict(name: str, dump: str = "d", of: str | None = None, **values: Any) -> dict[str, Any]:
    """A survivors row of the persona per_<name>, removed in favour of per_<of> where that is given."""
    row = {
        "persona_id": f"per_{name}",
        "persona_shard": f"{dump}.0000",
        "dump": dump,
        "seal": 1,
        "kept": of is None,
        "survivor_id": f"per_{of or name}",
        "survivor_dump": dump,
        "similarity": None if of is None else 0.95,
        "method": None if of is None else "lexical",
        "semantic_compared": True,
        "run_id": "run",
        "created_at": NOW,
    }
    return row | values


def call(name: str) -> dict[str, Any]:
    """A ledger row with id call_<name>."""
    values: dict[str, Any] = {column: "" for column in CALLS.polars}
    numbers = ("template_version", "attempt", "tokens_in", "tokens_out", "latency_s", "cost", "retries")
    return values | dict.fromkeys(numbers, 0) | {"call_id": f"call_{name}", "created_at": NOW}


def reject(hop: Table, row_id: str, reason: str) -> dict[str, Any]:
    """A reject row."""
    values: dict[str, Any] = dict.fromkeys(REJECTED.polars)
    return values | {
        "asset": hop.name,
        "row_id": row_id,
        "reason": reason,
        "detail": "",
        "shard": SHARD,
        "run_id": "run",
        "created_at": NOW,
    }


def context(lake: Lake, settings: Settings, run_id: str = "run", progress: Progress | None = None) -> Context:
    """What a step runs with, answered by the offline engine."""
    return Context(lake, settings, OfflineEngine(settings), run_id, progress)


def draft(lake: Lake, table: Table, key: str = SHARD) -> Draft:
    """A partition that stands, as its gates would have seen it."""
    rejects = lake.rejects_path(table, key)
    return Draft(table, key, lake.url(lake.path(table, key)), rejects and lake.url(rejects))


def put(lake: Lake, table: Table, *rows: dict[str, Any], shard: str = SHARD) -> None:
    """Write a partition with these rows and the rejects that it has."""
    aside = lake.rejects(table, shard).collect()
    with lake.partition(table, shard, "run") as part:
        part.rows.append(pl.DataFrame([table.later | row for row in rows], schema=table.polars))
        part.rejects.append(aside)


def put_rejects(lake: Lake, table: Table, *rows: dict[str, Any], shard: str = SHARD) -> None:
    """Write a partition anew with these rejects and the rows that it has."""
    kept = lake.read(table, shard) if lake.exists(table, shard) else pl.DataFrame(schema=table.polars)
    with lake.partition(table, shard, "run") as part:
        part.rows.append(kept)
        part.rejects.append(pl.DataFrame(list(rows), schema=REJECTED.polars))


def put_calls(lake: Lake, *names: str) -> None:
    """Write calls into the ledger's place, as a part without a meaningful name."""
    frame = pl.DataFrame([call(name) for name in names], schema=CALLS.polars)
    path = f"{lake.root}/calls/template=text_to_persona/shard={SHARD}/part-x.parquet"
    lake.fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
    frame.write_parquet(path)
