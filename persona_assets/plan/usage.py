"""What calls have taken so far, by asset and model, out of the ledger."""

from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from persona_assets.ledger.ledger import Ledger
from persona_assets.plan.figures import Amount, Basis
from persona_assets.steps.answers import REPAIRS

FROM_CALLS, FROM_OTHERS = "from calls", "from other models"


@dataclass(frozen=True)
class Means:
    """Mean tokens of a call and where they are from: `FROM_CALLS` of the model itself, or `FROM_OTHERS`."""

    tokens_in: float
    tokens_out: float
    basis: str


class Usage:
    """Sums over all calls of a lake."""

    def __init__(self, ledger: Ledger) -> None:
        """Read them: five columns of every part, streamed.

        Raises:
            PersonaAssetsError: a part cannot be read.
        """
        self._ledger = ledger
        repair = pl.col("template").is_in([one.name for one in REPAIRS])
        self._sums = ledger.query(
            lambda calls: calls.group_by("asset", "model", repair=repair).agg(
                pl.len().alias("calls"), pl.sum("tokens_in"), pl.sum("tokens_out")
            )
        )

    def means(self, asset: str, model: str, *, repair: bool = False) -> Means | None:
        """Of an asset's calls, to this model where there are any, else to all others."""
        of = self._sums.filter(pl.col("asset") == asset, pl.col("repair") == repair)
        own = of.filter(pl.col("model") == model)
        calls, tokens_in, tokens_out = (
            (own if own.height else of).select(pl.sum("calls", "tokens_in", "tokens_out")).row(0)
        )
        if not calls:
            return None
        return Means(tokens_in / calls, tokens_out / calls, FROM_CALLS if own.height else FROM_OTHERS)

    def calls(self, asset: str) -> int:
        """Calls that an asset made, repairs among them."""
        return int(self._sums.filter(pl.col("asset") == asset)["calls"].sum())

    def repair_rate(self, asset: str, model: str) -> Amount:
        """Repair calls per question."""
        of = self._sums.filter(pl.col("asset") == asset, pl.col("model") == model)
        questions, repairs = (int(of.filter(pl.col("repair") == which)["calls"].sum()) for which in (False, True))
        return Amount(repairs / questions, Basis.FUNNEL) if questions else Amount(0.0, Basis.ASSUMED)

    def throughput(self, models: Collection[str]) -> float | None:
        """Answer tokens a second of the last day on which these models were asked; None where it cannot be told.

        The time is from a partition's first answer to its last one, and one answer's latency.
        """
        of_models = pl.col("model").is_in(list(models))
        last = self._ledger.query(lambda calls: calls.filter(of_models).select(pl.col("created_at").max())).item()
        if last is None:
            return None
        stretches = self._ledger.query(
            lambda calls: (
                calls.filter(of_models, pl.col("created_at").dt.date() == last.date())
                .group_by("run_id", "asset", "shard")
                .agg(
                    pl.sum("tokens_out"),
                    seconds=(pl.col("created_at").max() - pl.col("created_at").min()).dt.total_microseconds() / 1e6
                    + pl.mean("latency_s"),
                )
                .select(pl.sum("tokens_out"), pl.sum("seconds"))
            )
        )
        tokens, seconds = stretches.row(0)
        return float(tokens / seconds) if tokens and seconds > 0 else None
