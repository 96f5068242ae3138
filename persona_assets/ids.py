"""Content-derived ids: the same inputs give the same id on any machine and in any order (data contract 3)."""

import hashlib
from typing import Any, Literal, Protocol

import orjson

Json = Any  # a value that JSON can hold
Prefix = Literal["doc", "per", "smp", "call", "rec", "qst", "row", "chr", "mdl"]


def canonical_json(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """The one byte string that stands for a JSON value: keys sorted, no spaces, UTF-8."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest(data: bytes) -> str:
    """blake2b of `data`, 128 bits, as 32 hexadecimal digits."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


class Hasher(Protocol):
    """The part of hashlib's objects that is used."""

    def update(self, data: bytes, /) -> None:
        """Hash more."""
        ...

    def copy(self) -> "Hasher":
        """A second one that goes on from here."""
        ...

    def hexdigest(self) -> str:
        """The digest of all so far."""
        ...


def id_hasher(data: bytes) -> Hasher:
    """`digest` for data that comes in pieces, of which these are the first."""
    return hashlib.blake2b(data, digest_size=16)


def make_id(prefix: Prefix, *parts: Any) -> str:  # noqa: ANN401 - any JSON values
    """An id such as `per_0f3c...`: the digest of the canonical JSON of `parts`, so parts cannot run together."""
    return f"{prefix}_{digest(canonical_json(parts))}"
