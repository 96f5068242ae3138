"""One row of the ledger."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any


@dataclass(frozen=True, slots=True)
class Call:
    """One model request and its answer, with exactly the columns of `lake.schemas.CALLS`."""

    call_id: str
    asset: str
    shard: str
    template: str
    template_version: int
    template_digest: str
    fill: str
    model: str
    model_revision: str
    sampling: str
    attempt: int
    answer: str
    thought: str
    finish_reason: str
    tokens_in: int
    tokens_out: int
    latency_s: float
    cost: float
    retries: int
    faults: str
    run_id: str
    created_at: datetime

    @property
    def rank(self) -> tuple[datetime, str, str]:
        """Of two calls with one id (two processes raced) the one of lower rank counts, wherever it is stored."""
        return self.created_at, self.run_id, self.shard


RANK = ("created_at", "run_id", "shard")  # the columns of `Call.rank`
values: Callable[[Call], tuple[Any, ...]] = attrgetter(*Call.__slots__)
