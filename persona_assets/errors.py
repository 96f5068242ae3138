"""The errors that a person can act on. The command line prints them as one line and exits with 1 or 2."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager


class PersonaAssetsError(Exception):
    """A failure with a remedy in its message; exit code 1."""


class UsageError(PersonaAssetsError):
    """Wrong settings, arguments or file names; exit code 2."""


class WrongKey(UsageError):
    """A key of a file holds what cannot be used. Who knows the file says which it is, and the line."""

    def __init__(self, of: str, place: tuple[str | int, ...], said: str) -> None:
        """`of` is what the file declares, such as `task poems`; `place` are the keys that lead to what is wrong."""
        super().__init__(f"{of}: {'.'.join(map(str, place))}: {said}")
        self.place, self.said = place, said


class Faults(UsageError):
    """Several faults at once, each on a line."""

    def __init__(self, faults: Iterable[UsageError]) -> None:
        """`faults` in the order in which they are told."""
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


class Collected:
    """Goes on where something is wrong, so that all that is wrong is told at once."""

    def __init__(self) -> None:
        """Nothing is wrong yet."""
        self.faults: list[UsageError] = []

    @contextmanager
    def part(self) -> Iterator[None]:
        """Keep what is wrong in what is done here, which ends there."""
        try:
            yield
        except Faults as error:
            self.faults += error.faults
        except UsageError as error:
            self.faults.append(error)

    def check(self) -> None:
        """Raise what was kept.

        Raises:
            UsageError: one thing is wrong; `Faults` where several are.
        """
        if self.faults:
            raise together(self.faults)


def together(faults: Sequence[UsageError]) -> UsageError:
    """One error for all of some, one at least."""
    return faults[0] if len(faults) == 1 else Faults(faults)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Such as `did you mean over? (known: ...)`."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    return (f"did you mean {near[0]}? " if near else "") + f"(known: {', '.join(names) or 'none'})"
