"""What other installed packages add: entry points of the groups `persona_assets.rules` and `persona_assets.engines`."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from persona_assets.errors import UsageError

Kind = Literal["rules", "engines"]


@cache
def installed(kind: Kind) -> Mapping[str, EntryPoint]:
    """The entry points of a kind, by name; nothing of their packages is imported."""
    return {point.name: point for point in entry_points(group=f"persona_assets.{kind}")}


def loaded(kind: Kind, name: str) -> Any:  # noqa: ANN401 - whatever the package gives
    """What an entry point names.

    Raises:
        UsageError: it cannot be imported; the message names it.
    """
    try:
        return installed(kind)[name].load()
    except Exception as error:  # another package's code: whatever it raises, its name belongs into the message
        raise UsageError(f"entry point {name} of persona_assets.{kind}: {type(error).__name__}: {error}") from error
