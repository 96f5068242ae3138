"""The errors that a person can act on. The command line prints them as one line and exits with 1 or 2."""

import difflib
from collections.abc import Iterable


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


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Such as `did you mean over? (known: ...)`."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    return (f"did you mean {near[0]}? " if near else "") + f"(known: {', '.join(names) or 'none'})"
