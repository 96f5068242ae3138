"""Rules of a message that puts a request and its constraints together."""

from collections.abc import Iterator

from persona_assets.constraints.constraint import Constraint
from persona_assets.constraints.read import read
from persona_assets.constraints.told import untold
from persona_assets.constraints.words import LANGUAGES, folded, word_list
from persona_assets.rules.registry import rule
from persona_assets.rules.sample import Sample

_REQUEST_SHARE = 0.7  # of the words of the request; a message in which other words stand for more is another request
_MOST_BESIDE = 3  # times as many words as request and constraints have; a message of more says something of its own
_FEW_WORDS = 40  # that a message may have beside them in any case


@rule(repairs=True)
def states_constraints(sample: Sample, field: str) -> str | None:
    """The message tells each constraint of the row that was asked about, with its numbers, words and options.

    Sentences in other words than the package's are not looked at, nor rows in which no constraints are stated.
    """
    for constraint in _stated(sample):
        if said := untold(constraint, sample.text(field), sample.language):
            return said
    return None


@rule(repairs=True)
def keeps_request(sample: Sample, field: str) -> str | None:
    """The message holds the request of the row that was asked about, and is not merely its constraints.

    A request that an answer is to repeat stands there word for word.
    """
    request = sample.about.get("instruction")
    if not isinstance(request, str) or not (wanted := _words(request)):
        return None
    there = _words(sample.text(field))
    share = len(set(wanted) & set(there)) / len(set(wanted))
    if share < _REQUEST_SHARE:
        return f"{field} has {share:.0%} of the words of the request; leave the request as it is"
    kinds = {one.kind for one in _stated(sample)}
    if "repeats_request" in kinds and f" {' '.join(wanted)} " not in f" {' '.join(there)} ":
        return f"the request, which the answer is to repeat, does not stand word for word in {field}"
    stated = sum(len(_words(text)) for text in _texts(sample))
    most = max(_MOST_BESIDE * (len(wanted) + stated), len(wanted) + stated + _FEW_WORDS)
    return f"{field} has {len(there)} words, more than {most}" if len(there) > most else None


def _stated(sample: Sample) -> Iterator[Constraint]:
    """The constraints of the row that was asked about."""
    if sample.language in LANGUAGES:
        for text in _texts(sample):
            yield from read(text, sample.language).constraints


def _texts(sample: Sample) -> list[str]:
    """The sentences that state them."""
    stated = sample.about.get("stated")
    return [text for text in stated if isinstance(text, str)] if isinstance(stated, list) else []


def _words(text: str) -> list[str]:
    return word_list(folded(text))
