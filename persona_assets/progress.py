"""How long work tells how far it is: a step counts what more is done, a command of several stages where each stands."""

from typing import Protocol


class Progress(Protocol):
    """Told how many more are done, maybe from a thread of an engine; `total`, where given, starts anew.

    `note` is what else there is to say of the run so far: calls in flight, tokens a second, faults, cost.
    """

    def __call__(self, done: int, total: int | None = None, note: str = "") -> None:
        """Count `done` more."""
        ...


class Stages(Protocol):
    """Told how many of how many (None: not known yet) a stage has done: absolute numbers, not what is new."""

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Show where a stage stands."""
        ...


def untold(done: int, total: int | None = None, note: str = "") -> None:
    """Progress that nobody looks at."""
