"""What calls and rows take: tokens, money, GPU-hours, disk; and which budgets they would reach."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from persona_assets.lake import Table
from persona_assets.lake.schemas import EXTRACTED_PERSONAS
from persona_assets.plan.disk import DiskUse
from persona_assets.plan.figures import AssetPlan, Basis, Cap, PartitionPlan, Plan, TokenBasis
from persona_assets.plan.look_up import Walk
from persona_assets.plan.shard import Walks
from persona_assets.plan.tokens import BYTES_PER_TOKEN, TokenCounter, answer_tokens, prompt_bytes
from persona_assets.plan.usage import FROM_CALLS, Means, Usage
from persona_assets.settings import Settings
from persona_assets.steps.budget import Spent, today_of
from persona_assets.steps.runner import Context

MEASURED, ESTIMATED = "measured", "estimated"


@dataclass(frozen=True)
class _Rate:
    """Tokens of prompts: `per_byte` of those that were rendered, `per_prompt` of those that nobody can render yet."""

    per_byte: float
    per_prompt: float
    basis: str


class Prices:
    """Puts tokens, money, time and bytes to the figures of a plan."""

    def __init__(
        self,
        context: Context,
        walks: Walks,
        tables: Mapping[str, Table],
        tokens_per_second: float | None = None,
        gpus: float | None = None,
    ) -> None:
        """`tables` are those of the assets. `tokens_per_second`, of answers, is that of all `gpus` together.

        By default it is what the last calls went at.
        """
        self.context, self.walks, self.tables = context, walks, tables
        self.tokens_per_second, self.gpus = tokens_per_second, gpus
        self.usage, self.disk = Usage(context.ledger), DiskUse(context.lake)
        self._counters: dict[str, TokenCounter] = {}
        self._throughputs: dict[str, float | None] = {}

    def priced(self, asset: AssetPlan) -> AssetPlan:
        """The plan of an asset with what it takes.

        Raises:
            UsageError: the tokenizer that its settings name cannot be read.
        """
        if asset.model and asset.total("calls").value:
            self._calls(asset)
        per_row = self.disk.per_row(asset.asset, sum(self.walks.funnel.rows(self.tables[asset.asset]).values()))
        for partition in asset.todo:
            partition.disk += max(0.0, partition.rows.value - partition.stored) * per_row
        return asset

    def _calls(self, asset: AssetPlan) -> None:
        walk, settings = self.walks.of(asset.asset), self._settings(asset.asset)
        if not walk.prompts.sample:
            self.walks.stand_in(asset.asset)
        means = self.usage.means(asset.asset, asset.model)
        rate = self._prompt_rate(walk, settings, means)
        answer, answer_basis = self._answer(asset.asset, walk, means)
        repair = self.usage.means(asset.asset, asset.model, repair=True)
        repair_in = repair.tokens_in if repair else rate.per_prompt + answer
        repair_out = repair.tokens_out if repair else answer
        asset.tokens = TokenBasis(rate.basis, answer_basis)
        repairs = self.usage.repair_rate(asset.asset, asset.model)
        per_call = self._bytes_per_call(asset.asset, walk)
        speed, gpus = self._speed(settings, asset.model), self._gpus(settings)
        for plan in asset.todo:
            expected = plan.new * repairs
            plan.repairs += expected
            projected = plan.new.value - plan.known
            known = (plan.known_bytes + plan.repair_bytes) * rate.per_byte
            plan.tokens_in = known + projected * rate.per_prompt + expected.value * repair_in
            plan.tokens_out = plan.new.value * answer + plan.repairs.value * repair_out
            plan.cost = _cost(settings, plan)
            plan.disk += plan.calls.value * per_call
            plan.gpu_hours = plan.tokens_out / speed / 3600 * gpus if speed and answer else None

    def _prompt_rate(self, walk: Walk, settings: Settings, means: Means | None) -> _Rate:
        prompts = walk.prompts
        mean_bytes = prompts.seen_bytes / max(prompts.seen, 1)
        sample = prompts.sample
        if settings.tokenizer and sample:
            counter = self._counter(settings.tokenizer)
            per_byte = sum(map(counter.count, sample)) / sum(map(prompt_bytes, sample))
            return _Rate(per_byte, per_byte * mean_bytes, MEASURED)
        if prompts.held_tokens:
            per_byte = prompts.held_tokens / prompts.held_bytes
            return _Rate(per_byte, per_byte * mean_bytes, FROM_CALLS)
        if means and means.tokens_in:
            return _Rate(means.tokens_in / mean_bytes if mean_bytes else 0.0, means.tokens_in, means.basis)
        return _Rate(1 / BYTES_PER_TOKEN, mean_bytes / BYTES_PER_TOKEN, ESTIMATED)

    def _counter(self, place: str) -> TokenCounter:
        if place not in self._counters:
            self._counters[place] = TokenCounter(place)
        return self._counters[place]

    def _answer(self, asset: str, walk: Walk, means: Means | None) -> tuple[float, str]:
        if walk.step.template.scores:
            return 0.0, MEASURED  # nothing is generated
        most = float(walk.runner.sampling.max_tokens)
        if means and means.tokens_out:
            return min(means.tokens_out, most), means.basis
        items = self.walks.funnel.asked_per_document if asset == EXTRACTED_PERSONAS.name else None
        return min(answer_tokens(walk.step.template.response_schema, items), most), ESTIMATED

    def _bytes_per_call(self, asset: str, walk: Walk) -> float:
        return self.disk.per_call(walk.step.template.name, self.usage.calls(asset))

    def _settings(self, asset: str) -> Settings:
        template = self.walks.of(asset).step.template
        return self.context.settings.for_asset(asset, turn=template.voice, by=template.by)

    # Time

    def _speed(self, settings: Settings, model: str) -> float | None:
        """Answer tokens a second; what an engine without a GPU, or a batch, went at says nothing."""
        if self.tokens_per_second:
            return self.tokens_per_second
        if settings.engine == "offline" or settings.batch:
            return None
        if model not in self._throughputs:
            self._throughputs[model] = self.usage.throughput([model])
        return self._throughputs[model]

    def _gpus(self, settings: Settings) -> float:
        if self.gpus:
            return self.gpus
        return settings.tensor_parallel * settings.data_parallel if settings.engine == "vllm" else 1

    # Budgets

    def caps(self, plan: Plan) -> list[Cap]:
        """The budgets that are set, run and day, beside what the plan takes of each."""
        needed = Spent(
            round(plan.total("calls").value), round(plan.sum("tokens_in") + plan.sum("tokens_out")), plan.sum("cost")
        )
        found = []
        for period in ("run", "day"):
            for what in ("calls", "tokens", "cost"):
                name = f"max_{what}_per_{period}"
                cap = getattr(self.context.settings, name)
                if cap is not None:
                    used = getattr(self._today, what) if period == "day" else 0
                    found.append(Cap(f"PERSONA_{name.upper()}", cap, max(0, cap - used), float(getattr(needed, what))))
        return found

    @cached_property
    def _today(self) -> Spent:
        return today_of(self.context.ledger).spent()

    def notes(self, plan: Plan) -> list[str]:
        """What the figures leave open."""
        asking = [asset for asset in plan.asking if asset.total("calls").value]
        found = []
        if asking and plan.gpu_hours is None:
            found.append("no GPU-hours: the ledger tells no throughput of this engine; give --tokens-per-second")
        elif asking and not self.tokens_per_second:
            speeds = {model: speed for model, speed in self._throughputs.items() if speed}
            told = ", ".join(f"{model} {speed:,.0f}" for model, speed in speeds.items())
            found.append(f"GPU-hours at the answer tokens a second of the last day's calls: {told}")
        if asking and not plan.priced:
            found.append("no money: PERSONA_PRICE_IN and PERSONA_PRICE_OUT are 0")
        if any(asset.tokens.tokens_in == ESTIMATED for asset in asking):
            found.append("tokens in at 4 bytes each; PERSONA_TOKENIZER names a tokenizer to count them with")
        if any(asset.basis is Basis.ASSUMED for asset in plan.assets):
            found.append("assumed: what the settings ask for, and nothing set aside, wherever this lake has no history")
        return found


def _cost(settings: Settings, plan: PartitionPlan) -> float:
    return (plan.tokens_in * settings.price_in + plan.tokens_out * settings.price_out) / 1e6
