"""A plan for people, as blocks of a page."""

from collections.abc import Sequence

from persona_assets.plan.figures import Amount, AssetPlan, Basis, PartitionPlan, Plan
from persona_assets.view import blocks as view
from persona_assets.view.numbers import money, number, size

KINDS = {
    Basis.EXACT: view.Kind(str(Basis.EXACT)),
    Basis.FUNNEL: view.Kind(str(Basis.FUNNEL), "green", "▓"),
    Basis.ASSUMED: view.Kind(str(Basis.ASSUMED), "amber", "░"),
}


def page(plan: Plan) -> view.Page:
    """A plan as a page."""
    figures = [("new calls", amount(plan.total("calls")), ""), ("reused", number(plan.sum("reused")), "")]
    figures += [("tokens in", number(plan.sum("tokens_in")), ""), ("tokens out", number(plan.sum("tokens_out")), "")]
    figures += [("money", money(plan.sum("cost")), "")] if plan.priced else []
    figures += [("GPU-hours", _hours(plan.gpu_hours), "")] if plan.gpu_hours is not None else []
    figures += [("disk", size(plan.sum("disk")), "")]
    note = f"{number(plan.shards)} shards. Nothing was asked for this, and the lake is as it was."
    return view.Page("What the run would take", note, [view.Figures(figures), *blocks(plan)])


def blocks(plan: Plan) -> list[view.Block]:
    """A plan: its table, bars, and what is to be known."""
    found: list[view.Block] = [view.Section("Plan", [table(plan), view.Lines(token_lines(plan))])]
    unit, drawn = bars(plan)
    if drawn.rows:
        found.append(view.Section(f"{unit.capitalize()} by asset", [view.Legend([*KINDS.values()]), drawn]))
    if not any(asset.todo for asset in plan.assets) and not plan.unknown:
        found.append(view.Lines(["everything is materialised already; --all plans it again from the stored calls"]))
    told = {"Budgets": [cap.line for cap in plan.caps], "Stale": held_lines(plan.held), "Notes": plan.notes}
    return found + [view.Section(title, [view.Lines(lines)]) for title, lines in told.items() if lines]


def amount(value: Amount) -> str:
    """A count, with a sign before it where it is not exact."""
    return number(value.value) if value.basis is Basis.EXACT else f"~{number(value.value)}"


def _hours(value: float | None) -> str:
    """Hours, or nothing where they are not known."""
    return "" if value is None else money(value)


def table(plan: Plan) -> view.Table:
    """What each asset would take; repairs, money and GPU-hours where there are any."""
    todo, done = sum(len(asset.todo) for asset in plan.assets), sum(asset.done for asset in plan.assets)
    basis = max((asset.basis for asset in plan.assets), default=Basis.EXACT)
    total = ["total", _of(todo, done), *_calls(plan, plan), size(plan.sum("disk")), "", str(basis)]
    heads = _heads(plan)
    return view.Table(heads, [_row(plan, asset, len(heads)) for asset in plan.assets], total)


def _heads(plan: Plan) -> list[view.Head]:
    some = ["money"] if plan.priced else []
    some += ["GPU-h"] if plan.gpu_hours is not None else []
    repairs = ["repairs"] if plan.total("repairs").value else []
    counts = ("partitions", "questions", "reused", "new", *repairs, "tokens in", "tokens out", *some, "disk", "rows")
    return [*view.whole("asset"), *view.right(*counts), *view.whole("basis")]


def _row(plan: Plan, asset: AssetPlan, columns: int) -> list[str]:
    start = [asset.asset, _of(len(asset.todo), asset.done)]
    if not asset.todo:
        return start + [""] * (columns - len(start))
    end = [size(asset.sum("disk")), amount(asset.total("rows")), str(asset.basis)]
    if not asset.model:
        return start + [""] * (columns - len(start) - len(end)) + end
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
    return cells + ([_hours(over.gpu_hours)] if plan.gpu_hours is not None else [])


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
            taken = taken_by(found)
            cost = sum(partition.cost for partition in found)
            which = found[0].partition if len(found) == 1 else f"{len(found):,} partitions"
            paid = f", {money(cost)} of money" if cost else ""
            lines.append(f"stale, kept as it is: {asset.asset} {which} ({why}); {taken}{paid} with --stale")
    return lines


def taken_by(plans: Sequence[PartitionPlan]) -> str:
    """The calls that partitions take, and the trainings, in words."""
    calls, trainings = sum(plan.calls.value for plan in plans), sum(plan.trainings for plan in plans)
    told = [f"{number(calls)} calls"] if calls or not trainings else []
    return " and ".join([*told, *([f"{trainings:,} training{'s' * (trainings > 1)}"] if trainings else [])])


def bars(plan: Plan) -> tuple[str, view.Table]:
    """What is plotted, and by asset how much of it."""
    unit, values = plan.bars()
    most = max((value for _, value in values), default=0.0)
    basis = {asset.asset: KINDS[asset.basis] for asset in plan.assets}
    shown = money if unit == "money" else number
    rows = [(name, shown(value), view.bar(most, (basis[name], value))) for name, value in values if value]
    return unit, view.Table(view.BARS, rows)
