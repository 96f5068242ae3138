"""The errors that a person can act on. The command line prints them as one line and exits with 1 or 2."""

import difflib
from collections.abc import Iterable


class PersonaAssetsError(Exception):
    """A failure with a remedy in its message; exit code 1."""


class UsageError(PersonaAssetsError):
    """Wrong settings, arguments or file names; exit code 2."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Such as `did you mean over? (known: ...)`."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    return (f"did you mean {near[0]}? " if near else "") + f"(known: {', '.join(names)})"
