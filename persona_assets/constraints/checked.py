"""What checkers are given, and how a function becomes the checker of a kind."""

from collections.abc import Callable
from dataclasses import dataclass

from persona_assets.constraints.constraint import Args


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer with the arguments it is held to, the language of its request, and the request without constraints."""

    answer: str
    args: Args
    language: str
    request: str

    @property
    def n(self) -> int:
        """The count that is asked for."""
        return self.number("n")

    def number(self, name: str) -> int:
        """An argument that is a number."""
        value = self.args[name]
        assert isinstance(value, int)
        return value

    def text(self, name: str) -> str:
        """An argument that is a text."""
        value = self.args[name]
        assert isinstance(value, str)
        return value

    def texts(self, name: str) -> list[str]:
        """An argument that is a list."""
        value = self.args[name]
        assert isinstance(value, list)
        return value


Checker = Callable[[Asked], str | None]
CHECKERS: dict[str, Checker] = {}  # filled while the modules of checkers are imported, unchanged after that


def checks(kind: str) -> Callable[[Checker], Checker]:
    """Make a function the checker of a kind: None where an answer keeps to it, else a sentence on what was seen."""

    def keep(function: Checker) -> Checker:
        CHECKERS[kind] = function
        return function

    return keep


def counted(count: int, one: str, many: str) -> str:
    """Such as `1 word` or `5 words`."""
    return f"{count:,} {one if count == 1 else many}"
