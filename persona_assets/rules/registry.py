"""Rules by name: those of the package, of other packages, and of a user's folder.

A rule is a function declared by `@rule`. What it looks at depends on what it is a rule of:

| of | it sees | and gives |
| --- | --- | --- |
| `sample` | a `Sample`, and the arguments that a task file gives | what it saw, or None where the sample may stay |
| `persona` | a frame with `text` and `language` | a series of what it saw, null where a persona may stay |
| `document` | the text of a document, the settings, and thresholds | what it saw, or None where the document may stay |

Its name is the reason of the rejects. Another package adds rules by an entry point of the group `persona_assets.rules`
that names a module. Rules of samples are there for task files to name; those of personas and documents judge every one,
and are in the recipe of what they judge. A user adds rules of samples by a Python file in the folder `PERSONA_TASKS`.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_type_hints

from persona_assets.errors import UsageError
from persona_assets.ids import digest
from persona_assets.plugins import entries, loaded

Kind = Literal["sample", "persona", "document"]
_MODULES: Mapping[Kind, tuple[str, ...]] = {
    "sample": tuple(
        f"persona_assets.rules.{name}"
        for name in (
            *("sample_texts", "requests", "copies", "tools", "tool_code", "tool_talk", "items", "people"),
            *("answers", "talks", "constrained", "surveys", "questionnaires", "manner", "scripts", "leaks"),
        )
    ),
    "persona": ("persona_assets.personas.rules",),
    # What is broken before what is short, and form before what is said: the first is the reason.
    "document": tuple(
        f"persona_assets.crawl.quality.{name}" for name in ("damage", "repetition", "machine", "prose", "notices")
    ),
}


@dataclass(frozen=True, eq=False)
class Rule:
    """A rule. `version` is raised when it judges otherwise; `repairs` says that a repair may mend what it sees."""

    name: str
    of: Kind
    see: Callable[..., Any]
    version: int = 1
    repairs: bool = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - by what it is a rule of
        """What the rule sees."""
        return self.see(*args, **kwargs)

    @property
    def description(self) -> str:
        """The first line of its docstring."""
        return (inspect.getdoc(self.see) or "").partition("\n")[0]

    @cached_property
    def thresholds(self) -> Mapping[str, tuple[float, str]]:
        """Of a rule of documents, by name: the default of each threshold, and what it is.

        They are the arguments that only have names, as `share: Annotated[float, "share of the text"] = 0.5`.
        """
        hints = get_type_hints(self.see, include_extras=True)
        return {
            name: (argument.default, " ".join(map(str, getattr(hints[name], "__metadata__", ()))))
            for name, argument in inspect.signature(self.see).parameters.items()
            if argument.kind is argument.KEYWORD_ONLY
        }

    @property
    def file(self) -> Path:
        """The file that holds the function."""
        return Path(inspect.getsourcefile(self.see) or "")

    @property
    def line(self) -> int:
        """The line on which it begins."""
        return self.see.__code__.co_firstlineno

    @property
    def is_ours(self) -> bool:
        """Whether this package declares it."""
        return self.see.__module__.startswith("persona_assets.")

    @property
    def recipe(self) -> int | str:
        """What stands for it in the recipe of rows: its version, or the digest of its file where it is not ours."""
        return self.version if self.is_ours else digest(self.file.read_bytes())


def rule(of: Kind = "sample", *, version: int = 1, repairs: bool = False) -> Callable[[Callable[..., Any]], Rule]:
    """Declare a function as a rule of its name.

    With `repairs`, a model whose answer it refuses is shown once what was seen, and asked again; of samples alone.
    """
    return lambda see: Rule(see.__name__, of, see, version, repairs)


@cache
def rules(of: Kind) -> Mapping[str, Rule]:
    """The rules of the package and of installed ones, by name, in the order in which they are declared.

    Raises:
        UsageError: an entry point cannot be loaded, or takes the name of another rule.
    """
    found: dict[str, Rule] = {}
    for name in _MODULES[of]:
        found |= {one.name: one for one in declared(import_module(name)) if one.of == of}
    for entry in entries("rules"):
        for one in declared(loaded(entry)):
            if one.of == of:
                _add(found, one, f"entry point {entry.name} of {entry.group}")
    return found


def with_own(of: Kind, own: Mapping[str, Rule]) -> dict[str, Rule]:
    """All rules by name, with a user's own.

    Raises:
        UsageError: a rule takes the name of another.
    """
    found = dict(rules(of))
    for one in own.values():
        if one.of == of:
            _add(found, one, f"{one.file}:{one.line}")
    return found


def declared(module: ModuleType) -> list[Rule]:
    """The rules that a module declares, in the order of its lines."""
    own = [one for one in vars(module).values() if isinstance(one, Rule) and one.see.__module__ == module.__name__]
    return sorted(own, key=lambda one: one.line)


def _add(found: dict[str, Rule], one: Rule, where: str) -> None:
    if one.name in found:
        raise UsageError(f"{where}: the rule name {one.name} is taken by {found[one.name].file.name}; choose another")
    found[one.name] = one
