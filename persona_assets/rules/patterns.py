"""The patterns of rules, by language: `data/<language>.yaml` names them, and holds nothing else.

All languages are tried on every text, since a model may answer in another than it was asked for.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml

_FOLDER = Path(__file__).with_name("data")
LANGUAGES = tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


@cache
def of_language(language: str) -> Mapping[str, str]:
    """The patterns of a language (ISO 639-1) by name, each one expression."""
    told = yaml.safe_load((_FOLDER / f"{language}.yaml").read_text(encoding="utf-8"))
    return {name: "|".join(f"(?:{one})" for one in alternatives) for name, alternatives in told.items()}


@cache
def pattern(*names: str, start: bool = False) -> re.Pattern[str]:
    """What finds a pattern of any language; several names follow on one another. `start`: at the start of a text only.

    Raises:
        KeyError: a language lacks one of the names.
    """
    expressions = ["".join(f"(?:{of_language(language)[name]})" for name in names) for language in LANGUAGES]
    found = "|".join(f"(?:{expression})" for expression in expressions)
    return re.compile(rf"\A\W*(?:{found})" if start else found, re.IGNORECASE)
