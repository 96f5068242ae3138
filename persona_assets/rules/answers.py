"""The rule of answers to a request: they say something that the request does not."""

from persona_assets.rules.registry import rule
from persona_assets.rules.sample import Sample
from persona_assets.rules.texts import words

GRAM = 4  # words in a row that two texts seldom share by chance
_SHARE = 0.6  # of the grams of both in each other; answers that take up a question's words have less


@rule()
def no_request_echo(sample: Sample, field: str, request: str = "instruction") -> str | None:
    """The text does not merely repeat the request that was asked about, which is the column `request` of its row.

    One that repeats it begins where the request begins, with what is asked for; a text that was handed over to be
    corrected may come back with few changes.
    """
    asked = sample.about.get(request)
    if not isinstance(asked, str):
        return None
    own, theirs = words(sample.text(field)), words(asked)
    if own and own == theirs:
        return f"{field} is the request"
    mine, there = grams(own), grams(theirs)
    common = len(mine & there)
    if theirs[:GRAM] in mine and common > _SHARE * len(mine) and common > _SHARE * len(there):
        return f"{common / len(mine):.0%} of {field} stands in the request, and {common / len(there):.0%} of that in it"
    return None


def grams(tokens: tuple[str, ...]) -> set[tuple[str, ...]]:
    """The runs of `GRAM` words of a text."""
    return {tokens[at : at + GRAM] for at in range(len(tokens) - GRAM + 1)}
