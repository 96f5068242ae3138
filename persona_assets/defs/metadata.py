"""What the UI shows of a partition: rows, schema, place, funnel, spending, and a table to look at."""

from typing import Any

import dagster as dg
import polars as pl

from persona_assets.engines.hop import Report
from persona_assets.lake import Lake, Table

_TYPES = {
    pl.String: "string",
    pl.Int8: "tinyint",
    pl.Int32: "int",
    pl.Int64: "bigint",
    pl.Float32: "float",
    pl.Float64: "double",
    pl.Boolean: "boolean",
    pl.Datetime: "timestamp",
    pl.List: "string[]",
}
PREVIEW_ROWS = 5
PREVIEW_CHARACTERS = 160


def column_schema(table: Table) -> dg.TableSchema:
    """The declared schema, for the Columns pane."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                type=_TYPES[column.dtype.base_type()],
                description=column.description,
                constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=column.name == table.key),
            )
            for column in table.columns
        ]
    )


def partition_metadata(lake: Lake, table: Table, key: str, report: Report) -> dict[str, Any]:
    """Metadata of one materialised partition."""
    path = lake.path(table, key)
    record = lake.commit_record(path)
    rejected = sum(report.rejected.values())
    metadata: dict[str, Any] = {
        "dagster/partition_row_count": record.rows if record else report.kept,
        "dagster/uri": lake.fs.unstrip_protocol(path),
        "in": report.inputs,
        "kept": report.kept,
        "rejected": rejected,
        "funnel": dg.MetadataValue.md(funnel_markdown(report)),
        "seconds": round(report.seconds, 2),
        "preview": dg.MetadataValue.md(preview_markdown(lake, table, key)),
    }
    if table.asks:
        metadata |= {
            "calls made": report.calls_made,
            "calls reused": report.calls_reused,
            "tokens in": report.tokens_in,
            "tokens out": report.tokens_out,
            "cost": round(report.cost, 6),
        }
    return metadata | {name: _shown(value) for name, value in report.extra.items()}


def _shown(value: Any) -> Any:  # noqa: ANN401 - any JSON value in, anything that Dagster shows out
    """Numbers and texts as they are, counts and histograms as bars, the rest as JSON."""
    if isinstance(value, int | float | str):
        return value
    if isinstance(value, dict) and "bins" in value:
        return dg.MetadataValue.md(histogram_markdown(value))
    if isinstance(value, dict) and value and all(isinstance(count, int) for count in value.values()):
        return dg.MetadataValue.md(bars_markdown(list(value.items())))
    return dg.MetadataValue.json(value)


def bars_markdown(rows: list[tuple[str, int]]) -> str:
    """Names and counts as a table with bars; the longest bar is the largest count."""
    most = max([1, *(count for _, count in rows)])
    lines = ["| | rows | |", "|---|---:|:---|"]
    for name, count in rows:
        lines.append(f"| {name} | {count:,} | {'█' * max(1, round(24 * count / most)) if count else ''} |")
    return "\n".join(lines)


def histogram_markdown(histogram: dict[str, list[float]]) -> str:
    """A histogram (`bins`: n + 1 edges; every other key: n counts) as bars, empty bins left out."""
    edges = histogram["bins"]
    rows = [
        (f"{name} {low:.2f}-{high:.2f}", int(count))
        for name, counts in histogram.items()
        if name != "bins"
        for low, high, count in zip(edges, edges[1:], counts, strict=False)
        if count
    ]
    return bars_markdown(rows)


def funnel_markdown(report: Report) -> str:
    """The funnel as a table with bars: what went in, what was kept, what was set aside and why."""
    rows = [("in", report.inputs), ("kept", report.kept)]
    return bars_markdown([*rows, *((f"rejected: {reason}", count) for reason, count in report.rejected.most_common())])


def preview_markdown(lake: Lake, table: Table, key: str) -> str:
    """The first rows without the run columns, as a table; text from the web is shown as code, not as markup."""
    hidden = {*table.volatile, "shard", "call_id", "template_version"}
    columns = [name for name in table.polars if name not in hidden and not name.endswith("_digest")]
    frame = lake.scan(table, [key]).select(columns).head(PREVIEW_ROWS).collect()
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in frame.iter_rows()]
    return "\n".join(lines)


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = " ".join(str(value).split())[:PREVIEW_CHARACTERS]
    return "`" + text.replace("`", "'").replace("|", "¦") + "`" if text else ""
