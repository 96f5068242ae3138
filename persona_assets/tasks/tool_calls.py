"""How tools that models wrote are called: contained, within limits, and under which reasons one is set aside."""

import re
from collections.abc import Mapping

from persona_assets.contained.pool import Contained
from persona_assets.contained.programs import Call
from persona_assets.ids import Json, canonical_json
from persona_assets.rules.tool_schemas import parameter_of

SECONDS = 5.0  # for all calls of a program
MEGABYTES = 512
MOST_RESULT = 16 << 10  # bytes that the results of a program may have: a talk about more helps nobody
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{4,16}")  # in memory: another one each time
_REASONS = {
    "timeout": "too_slow",
    "memory": "too_much_memory",
    "output": "too_much_output",
    "not_contained": "not_contained",
}


def contained() -> Contained:
    """What runs the calls; use it as a context."""
    return Contained(SECONDS, MEGABYTES, output_bytes=MOST_RESULT)


def call_of(function: str, arguments: Mapping[str, Json]) -> Call:
    """The call of a tool's function with the arguments of the tool."""
    return Call(function, {parameter_of(name): value for name, value in arguments.items()})


def reason_of(outcome: str) -> str:
    """The reason under which a program of this outcome is set aside: `call_failed` where there is none of its own."""
    return _REASONS.get(outcome, "call_failed")


def bare(said: str) -> str:
    """What a program said, without what is another each time."""
    return _ADDRESS.sub("0x…", said)


def same(one: Json, other: Json) -> bool:
    """Whether two JSON values are one; 3 and 3.0 are, 1 and true are not."""
    return canonical_json(_plain(one)) == canonical_json(_plain(other))


def _plain(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value
