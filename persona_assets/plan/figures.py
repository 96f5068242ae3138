"""The figures of a plan: amounts that say what they rest on, by partition and by asset."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any


class Basis(IntEnum):
    """What an amount rests on; of two that are put together the weaker one holds."""

    EXACT = 0  # every question was rendered and looked up
    FUNNEL = 1  # the yields of this lake's partitions so far
    ASSUMED = 2  # settings and conventions, as the lake has no history

    def __str__(self) -> str:
        """As it is shown."""
        return ("exact", "from funnel", "assumed")[self]


@dataclass(frozen=True, slots=True)
class Amount:
    """A number and what it rests on; nothing at all is exact."""

    value: float = 0.0
    basis: Basis = Basis.EXACT

    def __add__(self, other: "Amount") -> "Amount":
        """Their sum."""
        known = [amount.basis for amount in (self, other) if amount.value]
        return Amount(self.value + other.value, max(known, default=Basis.EXACT))

    def __mul__(self, share: "Amount") -> "Amount":
        """This much of it; none of it stays exact."""
        return Amount(self.value * share.value, max(self.basis, share.basis)) if self.value else self

    def minus(self, count: float) -> "Amount":
        """Less a known number, at least none."""
        return Amount(max(0.0, self.value - count), self.basis)


def total(amounts: Iterable[Amount]) -> Amount:
    """The sum of amounts."""
    return sum(amounts, Amount())


@dataclass
class PartitionPlan:
    """What one partition of an asset would take.

    `questions`, all of them, are `reused`, answered in the ledger, or `new`; `repairs` are calls beside them, of which
    those that stored answers ask for have `repair_bytes` in all. Of the new ones `known` were rendered, to
    `known_bytes` in all. `rows` are those that the partition then has, `stored` those that it has now. `done`: it
    stands already, and stays as it is. `why`: of a stale one, what has changed. `trainings` are models to be trained.
    """

    asset: str
    partition: str
    done: bool = False
    rows: Amount = field(default_factory=Amount)
    stored: int = 0
    questions: Amount = field(default_factory=Amount)
    reused: int = 0
    new: Amount = field(default_factory=Amount)
    known: int = 0
    known_bytes: int = 0
    repairs: Amount = field(default_factory=Amount)
    repair_bytes: int = 0
    tokens_in: float = 0.0
    tokens_out: float = 0.0
    cost: float = 0.0
    gpu_hours: float | None = None
    disk: float = 0.0
    why: str = ""
    trainings: int = 0

    @property
    def is_free(self) -> bool:
        """Whether it takes neither a call nor a training."""
        return not (self.calls.value or self.trainings)

    @property
    def calls(self) -> Amount:
        """Calls that would be made."""
        return self.new + self.repairs

    @property
    def basis(self) -> Basis:
        """What its figures rest on."""
        return max(amount.basis for amount in (self.rows, self.questions, self.new))


@dataclass(frozen=True)
class TokenBasis:
    """How an asset's tokens were told, in words, such as `measured` and `from calls`."""

    tokens_in: str
    tokens_out: str


NO_TOKENS = TokenBasis("", "")


@dataclass
class AssetPlan:
    """All partitions of one asset."""

    asset: str
    model: str
    partitions: list[PartitionPlan]
    tokens: TokenBasis = NO_TOKENS

    @property
    def todo(self) -> list[PartitionPlan]:
        """The partitions that would be made."""
        return [partition for partition in self.partitions if not partition.done]

    @property
    def done(self) -> int:
        """How many stand already."""
        return len(self.partitions) - len(self.todo)

    def total(self, name: str) -> Amount:
        """The sum of an amount over the partitions to be made."""
        return total(getattr(partition, name) for partition in self.todo)

    def sum(self, name: str) -> float:
        """The sum of a number over the partitions to be made."""
        return sum((getattr(partition, name) or 0.0 for partition in self.todo), 0.0)

    @property
    def gpu_hours(self) -> float | None:
        """Hours of all GPUs together; None where no throughput is known."""
        known = [partition.gpu_hours for partition in self.todo if partition.gpu_hours is not None]
        return sum(known) if known else None

    @property
    def basis(self) -> Basis:
        """What its figures rest on."""
        return max((partition.basis for partition in self.todo), default=Basis.EXACT)


@dataclass(frozen=True)
class Cap:
    """A budget that is set, what is left of it and what the plan would use."""

    setting: str
    cap: float
    left: float
    needed: float

    @property
    def line(self) -> str:
        """What it would do to the run."""
        name = f"{self.setting}={_plain(self.cap).replace(',', '')}"
        left = "" if self.left == self.cap else f", of which {_plain(self.left)} is left today,"
        if self.needed <= self.left:
            return f"{name}{left} is enough: {_plain(self.needed)} needed"
        return f"{name}{left} would stop it after ~{self.left / self.needed:.0%} ({_plain(self.needed)} needed)"


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"


@dataclass
class Plan:
    """What a backfill would take. `unknown` are shards whose documents nobody can tell yet.

    `held` are partitions that are stale and stay as they are, since making them anew would take calls.
    """

    assets: list[AssetPlan]
    shards: int
    held: list[AssetPlan] = field(default_factory=list)
    caps: list[Cap] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def priced(self) -> bool:
        """Whether any money is to be spent."""
        return any(asset.sum("cost") for asset in self.assets)

    def sum(self, name: str) -> float:
        """The sum of a number over all assets."""
        return sum(asset.sum(name) for asset in self.assets)

    def total(self, name: str) -> Amount:
        """The sum of an amount over all assets."""
        return total(asset.total(name) for asset in self.assets)

    @property
    def gpu_hours(self) -> float | None:
        """Hours of all GPUs together; None where no throughput is known."""
        known = [asset.gpu_hours for asset in self.assets if asset.gpu_hours is not None]
        return sum(known) if known else None

    @property
    def asking(self) -> list[AssetPlan]:
        """The assets that make calls."""
        return [asset for asset in self.assets if asset.model]

    def bars(self) -> tuple[str, list[tuple[str, float]]]:
        """What is plotted, money or calls, and how much of it each asset that makes calls would take."""
        if self.priced:
            return "money", [(asset.asset, asset.sum("cost")) for asset in self.asking]
        return "new calls", [(asset.asset, asset.total("calls").value) for asset in self.asking]

    def as_dict(self) -> dict[str, Any]:
        """All figures as JSON values."""
        return {
            "shards": self.shards,
            "assets": [_asset_dict(asset) for asset in self.assets],
            "total": _figures(self) | {"basis": str(max((asset.basis for asset in self.assets), default=Basis.EXACT))},
            "caps": [
                {"setting": cap.setting, "cap": cap.cap, "left": cap.left, "needed": cap.needed, "line": cap.line}
                for cap in self.caps
            ],
            "kept_though_stale": [_asset_dict(asset) for asset in self.held],
            "unknown": self.unknown,
            "notes": self.notes,
        }


def _figures(over: AssetPlan | Plan) -> dict[str, Any]:
    return {
        "questions": round(over.total("questions").value, 1),
        "reused": int(over.sum("reused")),
        "new_calls": round(over.total("new").value, 1),
        "repair_calls": round(over.total("repairs").value, 1),
        "tokens_in": round(over.sum("tokens_in")),
        "tokens_out": round(over.sum("tokens_out")),
        "cost": round(over.sum("cost"), 6),
        "gpu_hours": None if over.gpu_hours is None else round(over.gpu_hours, 6),
        "disk_bytes": round(over.sum("disk")),
    }


def _asset_dict(asset: AssetPlan) -> dict[str, Any]:
    return {
        "asset": asset.asset,
        "model": asset.model or None,
        "partitions": len(asset.todo),
        "done": asset.done,
        **_figures(asset),
        "rows": round(asset.total("rows").value, 1),
        "rows_basis": str(asset.total("rows").basis),
        "calls_basis": str(asset.total("new").basis),
        "basis": str(asset.basis),
        "tokens_in_basis": asset.tokens.tokens_in or None,
        "tokens_out_basis": asset.tokens.tokens_out or None,
        "by_partition": [_partition_dict(partition) for partition in asset.todo],
    }


def _partition_dict(plan: PartitionPlan) -> dict[str, Any]:
    return {
        "partition": plan.partition,
        **({"why": plan.why} if plan.why else {}),
        "questions": round(plan.questions.value, 1),
        "reused": plan.reused,
        "new_calls": round(plan.new.value, 1),
        "repair_calls": round(plan.repairs.value, 1),
        "tokens_in": round(plan.tokens_in),
        "tokens_out": round(plan.tokens_out),
        "cost": round(plan.cost, 6),
        "gpu_hours": None if plan.gpu_hours is None else round(plan.gpu_hours, 6),
        "disk_bytes": round(plan.disk),
        "rows": round(plan.rows.value, 1),
        "basis": str(plan.basis),
    }
