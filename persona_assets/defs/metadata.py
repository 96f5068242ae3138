"""What the UI shows of a partition: rows, schema, place, funnel, spending, and a table to look at."""

from typing import Any

import dagster as dg
import polars as pl

from persona_assets.dedup.seals import sealed_dumps
from persona_assets.dedup.strands import encoders_told
from persona_assets.dedup.survivors import METHODS
from persona_assets.graph import Asset
from persona_assets.lake import Lake, Table
from persona_assets.lake.schemas import CALL_COLUMNS, DEDUPED_PERSONAS, PERSONA_SURVIVORS, RUN_COLUMNS
from persona_assets.making import Made
from persona_assets.steps.model import Report
from persona_assets.tasks.step import TaskStep
from persona_assets.tasks.table import may_be_unknown
from persona_assets.view import blocks as view
from persona_assets.view.markdown import render
from persona_assets.view.numbers import percent
from persona_assets.view.safe import one_line

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
VALUES_SHOWN = 12  # of a column; one with more is no kind of thing
VALUE_CHARACTERS = 40  # longer ones are texts
DUMPS_SHOWN = 20  # the latest, in the table of duplicate rates
PAIRS = {
    "lexical": "within the lexical threshold",
    "semantic": "within the semantic threshold",
    "candidates": "compared exactly",
    "skipped": "skipped: inside masses of near-copies, where no outcome depended on them",
}


def column_schema(table: Table) -> dg.TableSchema:
    """The declared schema, for the Columns pane."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                type=_TYPES.get(column.dtype.base_type(), str(column.dtype).lower()),
                description=column.description,
                constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=column.name == table.key),
            )
            for column in table.columns
        ]
    )


def column_lineage(asset: Asset) -> dg.TableColumnLineage:
    """What each column comes from, for the Columns pane."""
    return dg.TableColumnLineage(
        {
            name: [dg.TableColumnDep(dg.AssetKey(parent), column) for parent, column in cells]
            for name, cells in asset.column_lineage.items()
        }
    )


def partition_metadata(lake: Lake, asset: Asset, made: Made) -> dict[str, Any]:
    """Metadata of one partition that was made, or that stands as it was."""
    record, table = made.record, asset.table
    metadata: dict[str, Any] = {
        "dagster/partition_row_count": record.rows.rows,
        "dagster/column_lineage": column_lineage(asset),
        "dagster/uri": lake.fs.unstrip_protocol(f"{lake.folder(table, made.key)}/{record.rows.name}"),
        "kept": record.rows.rows,
        "rejected": sum(record.reasons.values()),
        "preview": _md(_preview(lake, table, made.key)),
    }
    if table.key == "sample_id" and (values := _values(lake, table, made.key)):
        metadata["values"] = _md(values)
    if isinstance(asset.step, TaskStep):
        metadata |= _unknown(lake, asset.step, made.key)
    if asset.derived and (shows := asset.derived.declared.shows):
        metadata["figures"] = dg.MetadataValue.md("\n\n".join(map(render, shows(lake.read(table, made.key)))))
    if made.report is None:
        return metadata | {"nothing written": made.note}
    return metadata | _of_the_run(lake, table, made.report)


def _of_the_run(lake: Lake, table: Table, report: Report) -> dict[str, Any]:
    """What making a partition did."""
    metadata: dict[str, Any] = {
        "in": report.inputs,
        "kept": report.kept,
        "rejected": sum(report.rejected.values()),
        "funnel": _md(_funnel(report)),
        "seconds": round(report.seconds, 2),
    }
    if table.asks:
        metadata |= {
            "calls made": report.calls_made,
            "calls reused": report.calls_reused,
            "tokens in": report.tokens_in,
            "tokens out": report.tokens_out,
            "cost": round(report.cost, 6),
        }
        metadata |= _calls_metadata(report)
    if table is PERSONA_SURVIVORS:
        return metadata | _dedup_metadata(lake, report)
    if table is DEDUPED_PERSONAS:
        metadata |= _rates(report.inputs, {method: report.rejected[f"duplicate_{method}"] for method in METHODS})
    return metadata | {name: _shown(value) for name, value in report.extra.items()}


def _calls_metadata(report: Report) -> dict[str, Any]:
    """How the calls that a partition made went: their latency, and the tries that failed."""
    if not (report.calls_made or report.faults):
        return {}
    rows = {f"≤ {seconds:,.3g} s": count for seconds, count in report.latency.rows()}
    tokens = report.tokens_in + report.tokens_out
    return {
        "latency p50 s": round(report.latency.quantile(0.5), 3),
        "latency p95 s": round(report.latency.quantile(0.95), 3),
        "latency": _md(_bars(rows, "calls")),
        "failed tries": _md(_bars(dict(report.faults.most_common()), "tries")),
        "tokens a second": round(tokens / report.seconds, 1) if report.seconds else 0.0,
    }


def _rates(rows: int, removed: dict[str, int]) -> dict[str, float]:
    """Duplicate rates, in all and by stage, as numbers: Dagster plots them over the partitions."""
    rates = {"duplicate rate": sum(removed.values()), **{f"duplicate rate {stage}": n for stage, n in removed.items()}}
    return {name: round(count / max(rows, 1), 4) for name, count in rates.items()}


def _dedup_metadata(lake: Lake, report: Report) -> dict[str, Any]:
    """What dedup did with a dump: rates, similarities, groups, recall, pairs, and how it stands among the dumps."""
    extra = report.extra
    groups = [
        (
            f"{group['removed']:,}",
            _cell(group["text"]),
            (view.Code(group["survivor_id"]), f" in {group['survivor_dump']}"),
        )
        for group in extra["largest_groups"]
    ]
    pairs = [(PAIRS.get(name, name), f"{count:,}") for name, count in extra["pairs"].items()]
    seconds = [(step, f"{spent:,.2f}", spent) for step, spent in extra["seconds_by_step"].items()]
    return {
        **_rates(report.inputs, {method: report.rejected[method] for method in METHODS}),
        **{f"recall {stage}": extra["recall"][stage] for stage in METHODS if stage in extra["recall"]},
        "duplicate rates of the dumps": dg.MetadataValue.md(duplicate_rates_markdown(lake)),
        "similarity to the survivor": _md(_histogram(extra["similarity"])),
        "largest groups": _md(view.Table([*view.right("removed"), *view.left("one of them", "survivor")], groups)),
        "pairs": _md(view.Table([*view.left(""), *view.right("pairs")], pairs)),
        "not compared by an encoder": extra["not_compared"],
        "encoders": _md(view.Table(view.left("", "by"), encoders_told(extra["encoders"]))),
        "parts": extra["parts"],
        "seconds by step": _md(view.bars(seconds, "seconds")),
    }


def duplicate_rates_markdown(lake: Lake) -> str:
    """The duplicate rate of the latest sealed dumps, in all and by stage, with bars."""
    counts = (
        lake.scan(PERSONA_SURVIVORS, sealed_dumps(lake)[-DUMPS_SHOWN:])
        .group_by("seal", "dump")
        .agg(
            pl.len(), (~pl.col("kept")).sum(), *((pl.col("method") == method).sum().alias(method) for method in METHODS)
        )
        .sort("seal")
        .collect(engine="streaming")
    )
    rates = (counts["kept"] / counts["len"]).fill_nan(0).to_list()
    most = max(rates, default=0)
    rows = [
        (dump, f"{of:,}", *(percent(n, of) for n in (removed, *stages)), view.bar(most, (view.PLAIN, rate)))
        for (_, dump, of, removed, *stages), rate in zip(counts.iter_rows(), rates, strict=True)
    ]
    return render(view.Table([*view.left("dump"), *view.right("rows", "rate", *METHODS), *view.left("")], rows))


def _shown(value: Any) -> Any:  # noqa: ANN401 - any JSON value in, anything that Dagster shows out
    """Numbers and texts as they are, counts and histograms as bars, the rest as JSON."""
    if isinstance(value, int | float | str):
        return value
    if isinstance(value, dict) and "bins" in value:
        return _md(_histogram(value))
    if isinstance(value, dict) and value and all(isinstance(count, int) for count in value.values()):
        return _md(_bars(value))
    return dg.MetadataValue.json(value)


def _md(block: view.Block) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(render(block))


def _bars(counts: dict[str, int], what: str = "rows") -> view.Table:
    return view.bars([(name, f"{count:,}", count) for name, count in counts.items()], what)


def _histogram(histogram: dict[str, list[float]]) -> view.Table:
    """A histogram (`bins`: n + 1 edges; every other key: n counts) as bars, empty bins left out."""
    edges = histogram["bins"]
    return _bars(
        {
            f"{name} {low:.2f}-{high:.2f}": int(count)
            for name, counts in histogram.items()
            if name != "bins"
            for low, high, count in zip(edges, edges[1:], counts, strict=False)
            if count
        }
    )


def _funnel(report: Report) -> view.Table:
    """What went in, what was kept, what was set aside and why."""
    rejected = {f"rejected: {reason}": count for reason, count in report.rejected.most_common()}
    return _bars({"in": report.inputs, "kept": report.kept, **rejected})


def _preview(lake: Lake, table: Table, key: str) -> view.Table:
    """The first rows without the run columns."""
    hidden = {*table.volatile, "shard", "call_id", "template_version"}
    columns = [name for name in table.polars if name not in hidden and not name.endswith("_digest")]
    frame = lake.scan(table, [key]).select(columns).head(PREVIEW_ROWS).collect()
    return view.Table(view.left(*columns), [[_cell(value) for value in row] for row in frame.iter_rows()])


def _values(lake: Lake, table: Table, key: str) -> view.Table | None:
    """How often each value stands in the columns that have few of them, such as languages, modes, kinds and votes."""
    told = {column.name for column in (*CALL_COLUMNS, *RUN_COLUMNS)} | {parent.column for parent in table.parents}
    told |= {"task", table.key, "question_id"}
    names = [name for name, dtype in table.polars.items() if dtype in (pl.String, pl.Boolean) and name not in told]
    there = lake.scan(table, [key])
    values = [pl.col(name).n_unique().alias(name) for name in names]
    lengths = [
        pl.col(name).cast(pl.String).str.len_chars().max().fill_null(0).alias(f"{name}/length") for name in names
    ]
    looked = there.select(pl.len().alias("/rows"), *values, *lengths).collect(engine="streaming").row(0, named=True)
    most_values = min(VALUES_SHOWN, looked["/rows"] // 2)
    few = [name for name in names if looked[name] <= most_values and looked[f"{name}/length"] <= VALUE_CHARACTERS]
    rows: list[tuple[str, str, int]] = []
    for name in few:
        counts = there.group_by(pl.col(name).cast(pl.String)).len().sort("len", name, descending=[True, False])
        rows += [(name, "" if value is None else value, count) for value, count in counts.collect().iter_rows()]
    if not rows:
        return None
    most = max(count for _, _, count in rows)
    cells = [(name, _cell(value), f"{count:,}", view.bar(most, (view.PLAIN, count))) for name, value, count in rows]
    return view.Table([*view.whole("column", "value"), *view.right("rows"), *view.whole("")], cells)


def _unknown(lake: Lake, step: TaskStep, key: str) -> dict[str, float]:
    """The share of the rows in which a column was left open, as numbers: Dagster plots them over the partitions."""
    names = may_be_unknown(step.template)
    if not names:
        return {}
    is_open = [
        (pl.col(name).is_null() if value is None else pl.col(name) == value).mean().alias(name)
        for name, value in names.items()
    ]
    shares = lake.scan(step.table, [key]).select(is_open).collect(engine="streaming").row(0, named=True)
    return {f"unknown {name}": round(share, 4) for name, share in shares.items() if share is not None}


def _cell(value: object) -> view.Cell:
    return view.Code("" if value is None else one_line(str(value), PREVIEW_CHARACTERS))
