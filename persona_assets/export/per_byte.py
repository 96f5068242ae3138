"""Figures of a text that lm-evaluation-harness has scored. An exported folder has a copy, which its tasks name."""

from collections.abc import Mapping, Sequence


def per_byte(doc: Mapping[str, str], results: Sequence[tuple[float, bool]]) -> dict[str, tuple[float, int]]:
    """The log-probability of a document's `continuation` and its bytes, by the names of the harness's figures."""
    [(logprob, _)] = results
    told = logprob, len(doc["continuation"].encode())
    return {"bits_per_byte": told, "byte_perplexity": told}
