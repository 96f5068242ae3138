"""What other installed packages add: entry points of the groups `persona_assets.rules`, `.engines` and `.formats`."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from persona_assets.errors import UsageError

Kind = Literal["rules", "engines", "formats"]


@cache
def entries(kind: Kind) -> tuple[EntryPoint, ...]:
    """The entry points of a kind, in the order of their names; nothing of their packages is imported."""
    found = entry_points(group=f"persona_assets.{kind}")
    return tuple(sorted(found, key=lambda entry: (entry.name, entry.value)))


@cache
def installed(kind: Kind) -> Mapping[str, EntryPoint]:
    """The same by name, where a name can stand for one thing only.

    Raises:
        UsageError: two packages claim one name.
    """
    found: dict[str, EntryPoint] = {}
    for entry in entries(kind):
        if entry.name in found:
            both = " and ".join(package_of(one) for one in (found[entry.name], entry))
            raise UsageError(f"{entry.group}: {entry.name} is claimed by {both}; uninstall one of them")
        found[entry.name] = entry
    return found


def package_of(entry: EntryPoint) -> str:
    """The package that declares an entry point."""
    return entry.dist.name if entry.dist else entry.module


def loaded(entry: EntryPoint) -> Any:  # noqa: ANN401 - whatever the package gives
    """What an entry point names.

    Raises:
        UsageError: it cannot be imported; the message names it.
    """
    try:
        return entry.load()
    except Exception as error:  # another package's code: whatever it raises, its name belongs into the message
        raise UsageError(f"entry point {entry.name} of {entry.group}: {type(error).__name__}: {error}") from error
