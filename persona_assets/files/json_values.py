"""JSON as it is found: also what Python and hand-made tools write and the standard does not allow."""

import json
from typing import Any

import orjson


def parse_json(data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """The value of JSON text in UTF-8.

    NaN and Infinity are read as such, raw control characters in strings as they stand, and half a surrogate pair
    becomes U+FFFD, as no text can hold it.

    Raises:
        ValueError: it is no JSON even so.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        try:
            return _paired(json.loads(data.decode(), parse_int=orjson.loads, strict=False))
        except (ValueError, RecursionError):
            raise ValueError(str(error)) from None


def _paired(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """A value whose texts can all be written as UTF-8."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_paired(one) for one in value]
    if isinstance(value, dict):
        return {_paired(key): _paired(one) for key, one in value.items()}
    return value
