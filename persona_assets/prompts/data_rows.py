"""Rows of data files whose columns are kept as texts, read as models: what a YAML file declares."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from persona_assets.errors import UsageError, did_you_mean

_OWN = frozenset(("row_id", "file", "place", "shard", "run_id", "created_at"))
M = TypeVar("M", bound=BaseModel)


def row_as(row: Mapping[str, Any], model: type[M], what: str) -> M:
    """A row of a data file as a model; lists and mappings stand in it as JSON text.

    Raises:
        UsageError: it is none; the message names file and key, or `what` it ought to be.
    """
    told = {name: _value(value) for name, value in row.items() if name not in _OWN and value is not None}
    try:
        return model.model_validate(told)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or what
        said = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
            said = f"unknown key; {did_you_mean(place, model.model_fields)}"
        raise UsageError(f"{row['file']}: {place}: {said}") from error


def _value(value: Any) -> Any:  # noqa: ANN401 - of a data file
    """A value as the file has it: what is no plain value is kept as JSON text."""
    if isinstance(value, str) and value[:1] in ("[", "{", '"'):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
