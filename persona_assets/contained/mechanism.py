"""What contains a program on this machine, tried from the strongest to the weakest."""

from dataclasses import dataclass
from functools import cache
from typing import Literal

from persona_assets.contained import monty, process

Mechanism = Literal["landlock", "bubblewrap", "monty", "none"]


@dataclass(frozen=True, slots=True)
class Containment:
    """What contains programs here, and why nothing stronger does: a line for each, `landlock: ...`."""

    mechanism: Mechanism
    why: tuple[str, ...] = ()

    def __str__(self) -> str:
        """In one line: `monty (landlock: ...; bubblewrap: ...)`."""
        return f"{self.mechanism} ({'; '.join(self.why)})" if self.why else self.mechanism


@cache
def containment() -> Containment:
    """What contains programs here. Walls are not believed in: a program tries them."""
    why: list[str] = []
    for walls in ("landlock", "bubblewrap"):
        if not (reason := process.why_not(walls)):
            return Containment(walls, tuple(why))
        why.append(f"{walls}: {reason}")
    if not (reason := monty.why_not()):
        return Containment("monty", tuple(why))
    return Containment("none", (*why, f"monty: {reason}"))
