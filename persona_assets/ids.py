"""Content-derived ids: the same inputs give the same id on any machine and in any order (data contract 3)."""

import hashlib
from typing import Any, Literal

import orjson

Prefix = Literal["doc", "per", "smp", "call", "rec"]


def canonical_json(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """The one byte string that stands for a JSON value: keys sorted, no spaces, UTF-8."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest(data: bytes) -> str:
    """blake2b of `data`, 128 bits, as 32 hexadecimal digits."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def make_id(prefix: Prefix, *parts: Any) -> str:  # noqa: ANN401 - any JSON values
    """An id such as `per_0f3c...`: the digest of the canonical JSON of `parts`, so parts cannot run together."""
    return f"{prefix}_{digest(canonical_json(parts))}"
