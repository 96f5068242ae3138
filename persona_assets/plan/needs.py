"""What a partition whose inputs are there would take: its calls, each question rendered and looked up."""

from persona_assets.lake import Table
from persona_assets.plan.figures import Amount, AssetPlan, PartitionPlan
from persona_assets.plan.funnel import Funnel
from persona_assets.plan.price import Prices
from persona_assets.plan.shard import Flow, Walks
from persona_assets.state import LakeState, Standing, State
from persona_assets.steps.model import Context


class Needs:
    """Tells which stale partitions would cost money or days: those that take calls, or a training."""

    def __init__(self, context: Context, state: LakeState) -> None:
        """Bind to a lake; nothing is read yet."""
        self.context, self.state = context, state
        steps = {asset.name: asset.step for asset in state.assets.values() if asset.step}
        derived = {asset.name: asset.derived for asset in state.assets.values() if asset.derived}
        self.walks = Walks(context, steps, Funnel(context.lake, context.settings, context.ledger), derived)

    def held_back(self, standing: Standing) -> PartitionPlan | None:
        """What a stale partition would cost, where that is anything and PERSONA_STALE does not allow it; else None."""
        if standing.state is not State.STALE or self.context.settings.stale == "calls":
            return None
        plan = self.calls(standing)
        return None if plan.is_free else plan

    def calls(self, standing: Standing) -> PartitionPlan:
        """The calls that a partition would make, and trainings; what it is made from has to be there."""
        asset = self.state.assets[standing.asset]
        plan = PartitionPlan(asset.name, standing.key)
        if asset.derived:
            plan.trainings = asset.derived.trainings(standing.key, self.context.lake)
        if asset.step is None:
            return plan
        kind = asset.table.partition
        alike = [one for one in self.state.assets.values() if one.table.partition == kind]
        flow = Flow(standing.key, {one.name: self._stands(one.table, standing.key) for one in alike})
        self.walks.ask(flow, plan)
        return plan

    def priced(self, plans: list[PartitionPlan]) -> list[AssetPlan]:
        """The same by asset, with tokens and money."""
        prices = Prices(self.context, self.walks, self.state.tables)
        by_asset: dict[str, list[PartitionPlan]] = {}
        for plan in plans:
            by_asset.setdefault(plan.asset, []).append(plan)
        return [prices.priced(AssetPlan(name, self.walks.of(name).model, found)) for name, found in by_asset.items()]

    def _stands(self, table: Table, key: str) -> PartitionPlan:
        record = self.context.lake.record(table, key)
        rows = record.rows.rows if record else 0
        return PartitionPlan(table.name, key, done=True, rows=Amount(rows), stored=rows)
