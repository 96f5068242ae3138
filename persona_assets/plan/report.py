"""A plan for people: the rows of its table, bars, a page."""

from pathlib import Path
from typing import Any

from persona_assets.plan.figures import Amount, AssetPlan, Basis, PartitionPlan, Plan
from persona_assets.text.page import page

BAR = 32  # characters of the longest bar
LABEL = 30  # characters of an asset's name beside its bar
WIDTH = 470.0  # units of the longest bar of the page


def number(value: float) -> str:
    """A count, rounded to whole ones; millions from one on."""
    return f"{round(value):,}" if value < 1e6 else f"{value / 1e6:,.2f} M"


def amount(value: Amount) -> str:
    """A count, with a sign before it where it is not exact."""
    return number(value.value) if value.basis is Basis.EXACT else f"~{number(value.value)}"


def size(value: float) -> str:
    """Bytes with a unit."""
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1000:
            return f"{value:,.0f} {unit}" if unit == "B" else f"{value:,.1f} {unit}"
        value /= 1000
    return f"{value:,.1f} TB"


def money(value: float) -> str:
    """Money to the cent, or to two figures where it is less."""
    return f"{value:,.2f}" if value >= 1 or not value else f"{value:#.2g}"


def hours(value: float | None) -> str:
    """Hours, or nothing where they are not known."""
    return "" if value is None else f"{value:,.2f}" if value >= 1 else f"{value:#.2g}"


def heads(plan: Plan) -> list[str]:
    """The headings of the table; repairs, money and GPU-hours where there are any."""
    some = ["money"] if plan.priced else []
    some += ["GPU-h"] if plan.gpu_hours is not None else []
    return [
        *("asset", "partitions", "questions", "reused", "new"),
        *(["repairs"] if plan.total("repairs").value else []),
        *("tokens in", "tokens out"),
        *some,
        *("disk", "rows", "basis"),
    ]


def table_rows(plan: Plan) -> list[list[str]]:
    """The table's rows, an asset each."""
    return [_row(plan, asset) for asset in plan.assets]


def total_row(plan: Plan) -> list[str]:
    """The last row of the table."""
    todo, done = sum(len(asset.todo) for asset in plan.assets), sum(asset.done for asset in plan.assets)
    basis = max((asset.basis for asset in plan.assets), default=Basis.EXACT)
    return ["total", _of(todo, done), *_calls(plan, plan), size(plan.sum("disk")), "", str(basis)]


def _row(plan: Plan, asset: AssetPlan) -> list[str]:
    start = [asset.asset, _of(len(asset.todo), asset.done)]
    if not asset.todo:
        return start + [""] * (len(heads(plan)) - len(start))
    end = [size(asset.sum("disk")), amount(asset.total("rows")), str(asset.basis)]
    if not asset.model:
        return start + [""] * (len(heads(plan)) - len(start) - len(end)) + end
    return [*start, *_calls(plan, asset), *end]


def _of(todo: int, done: int) -> str:
    """Partitions to be made, of all where some stand already."""
    return f"{todo:,} of {todo + done:,}" if done else f"{todo:,}"


def _calls(plan: Plan, over: Plan | AssetPlan) -> list[str]:
    cells = [
        amount(over.total("questions")),
        number(over.sum("reused")),
        amount(over.total("new")),
        *([amount(over.total("repairs"))] if plan.total("repairs").value else []),
        number(over.sum("tokens_in")),
        number(over.sum("tokens_out")),
    ]
    cells += [money(over.sum("cost"))] if plan.priced else []
    return cells + ([hours(over.gpu_hours)] if plan.gpu_hours is not None else [])


def token_lines(plan: Plan) -> list[str]:
    """How tokens were told, assets that agree together."""
    told: dict[str, list[str]] = {}
    for asset in plan.asking:
        if asset.tokens.tokens_in:
            told.setdefault(f"tokens in {asset.tokens.tokens_in}, out {asset.tokens.tokens_out}", []).append(
                asset.asset
            )
    return [f"{line}: {', '.join(assets)}" for line, assets in told.items()]


def held_lines(held: list[AssetPlan]) -> list[str]:
    """What is stale and kept as it is, why, and what making it anew would take; a line for each asset and reason."""
    lines = []
    for asset in held:
        by_reason: dict[str, list[PartitionPlan]] = {}
        for partition in asset.partitions:
            by_reason.setdefault(partition.why, []).append(partition)
        for why, found in by_reason.items():
            calls = number(sum(partition.calls.value for partition in found))
            cost = sum(partition.cost for partition in found)
            which = found[0].partition if len(found) == 1 else f"{len(found):,} partitions"
            paid = f", {money(cost)} of money" if cost else ""
            lines.append(f"stale, kept as it is: {asset.asset} {which} ({why}); {calls} calls{paid} with --stale")
    return lines


def bars(plan: Plan) -> tuple[str, list[tuple[str, str, int]]]:
    """What is plotted, and by asset its name, value and bar length in characters."""
    unit, values = plan.bars()
    most = max((value for _, value in values), default=0.0)
    return unit, [
        (name, _shown(unit, value), max(1, round(BAR * value / most))) for name, value in values if value and most
    ]


def _shown(unit: str, value: float) -> str:
    return money(value) if unit == "money" else number(value)


def html(plan: Plan) -> str:
    """One self-contained page; every value is escaped, and nothing is loaded from anywhere."""
    unit, values = plan.bars()
    most = max((value for _, value in values), default=0.0)
    basis = {asset.asset: str(asset.basis) for asset in plan.assets}
    drawn: list[dict[str, Any]] = [
        {
            "name": name,
            "label": name if len(name) <= LABEL else name[: LABEL - 1] + "…",
            "value": _shown(unit, value),
            "width": WIDTH * value / most,
            "basis": basis[name],
        }
        for name, value in values
        if value
    ]
    headline = [("new calls", amount(plan.total("calls"))), ("reused", number(plan.sum("reused")))]
    headline += [("tokens in", number(plan.sum("tokens_in"))), ("tokens out", number(plan.sum("tokens_out")))]
    headline += [("money", money(plan.sum("cost")))] if plan.priced else []
    headline += [("GPU-hours", hours(plan.gpu_hours))] if plan.gpu_hours is not None else []
    headline += [("disk", size(plan.sum("disk")))]
    return page(Path(__file__).parent / "page.html.j2", number=number).render(
        plan=plan,
        headline=headline,
        unit=unit,
        bars=drawn,
        bases=[str(each) for each in Basis],
        heads=heads(plan),
        rows=table_rows(plan),
        foot=total_row(plan),
        tokens=token_lines(plan),
    )
