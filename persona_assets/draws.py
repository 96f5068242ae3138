"""Draws that follow from ids: the same rows are drawn again, and a new row changes few draws."""

from collections.abc import Iterable, Mapping

import polars as pl

from persona_assets.ids import canonical_json, digest


def lots(ids: Iterable[str], seed: int) -> pl.Series:
    """The lot of each id, a text: digests of seed and id. Rows with the lowest ones are drawn."""
    return pl.Series("lot", [digest(canonical_json([seed, one])) for one in ids], dtype=pl.String)


def portions(shares: Mapping[str, float], size: int) -> dict[str, int]:
    """How many of `size` rows each share gets, in the order of the shares; rounded so that they add up to `size`."""
    found, above, given = dict[str, int](), 0.0, 0
    for name, share in shares.items():
        above += share
        upto = round(above * size)
        found[name], given = upto - given, upto
    return found
