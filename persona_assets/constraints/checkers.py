"""The checkers of all kinds behind one function."""

from collections.abc import Iterable

from persona_assets.constraints import check_format, check_length, check_words
from persona_assets.constraints.checked import CHECKERS, Asked
from persona_assets.constraints.constraint import Args, Constraint, from_json
from persona_assets.constraints.kinds import check_args, kind_named
from persona_assets.errors import UsageError

MODULES = (check_format, check_length, check_words)  # imported for what they declare


def seen(kind: str, answer: str, args: Args, language: str, request: str = "") -> str | None:
    """None where an answer keeps to a constraint, else a short English sentence on what was seen in it.

    `language` (ISO 639-1) is that of the request, which stands in `request` without its constraints. Time grows with
    the answer's length, whatever it holds.

    Raises:
        UsageError: the kind is unknown or has no meaning in the language, or its arguments do not fit.
    """
    check_args(kind_named(kind, language), args, language)
    return CHECKERS[kind](Asked(answer, args, language, request))


def failed(constraints: Iterable[Constraint], answer: str, language: str, request: str = "") -> list[str]:
    """What was seen of each constraint that an answer breaks, as `kind: sentence`, in their order.

    Raises:
        UsageError: as of `seen`.
    """
    found = ((one.kind, seen(one.kind, answer, one.args, language, request)) for one in constraints)
    return [f"{kind}: {said}" for kind, said in found if said is not None]


def uncheckable(text: str, language: str, request: str = "") -> str:
    """Why no answer can be held to constraints, kept as JSON; "" where one can.

    `request` is what a constraint to repeat it speaks of.
    """
    try:
        constraints = from_json(text)
        for one in constraints:
            check_args(kind_named(one.kind, language), one.args, language)
    except UsageError as error:
        return str(error)
    if any(one.kind == "repeats_request" for one in constraints) and not request.strip():
        return "constraints: repeats_request: the request that is to be repeated is missing"
    return "" if constraints else "constraints: there is none"
