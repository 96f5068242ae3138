"""Values as JSON on one line, which a terminal can show too."""

import orjson

from persona_assets.view.safe import escaped_json


def to_json(value: object) -> str:
    """`value` as JSON: times as ISO 8601, what JSON has no type for as a string."""
    return escaped_json(orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode())
