"""What an HTTP answer that is not a completion means, in what a caller does: try again, give up the row, stop."""

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from persona_assets.engines.base import EngineUnavailable

TRY_AGAIN = {408: "timeout", 409: "server_error", 425: "server_error", 429: "rate_limited"}
OVERLOAD = {429, 503, 504, 529}
FIRST_DELAY_S = 0.5  # mean wait before the first retry is half of it
LONGEST_DELAY_S = 60.0  # a server that is down for longer is not asked more often than this
DETAIL_CHARACTERS = 300  # of a fault's detail that is kept
KEY_SHOWN = "***"  # what stands for the key where a server's error message repeats it
LONGEST_RETRY_AFTER_S = 600.0  # a wish beyond is taken as this, so that a wrong header cannot stop a run for a day


def clean(text: str, key: str) -> str:
    """A detail fit to be kept: without the key, which some servers repeat, and cut after that."""
    return (text.replace(key, KEY_SHOWN) if key else text)[:DETAIL_CHARACTERS]


class TryAgain(Exception):
    """A passing fault: `reason` as in `Failure`, and the seconds that the server asked to wait, if it did.

    `overload`: it may be a sign that too much was asked at once; `unreachable`: nothing was sent, as no connection was.
    """

    def __init__(
        self,
        reason: str,
        detail: str,
        after_s: float | None = None,
        *,
        overload: bool = False,
        unreachable: bool = False,
    ) -> None:
        super().__init__(detail)
        self.reason, self.detail, self.after_s = reason, detail, after_s
        self.overload, self.unreachable = overload, unreachable


class GiveUpRow(Exception):
    """A fault of this one request; asking again would not help."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


class NoStructuredOutput(Exception):
    """The server does not take this form of `response_format`."""


def delay_s(retry: int, after_s: float | None) -> float:
    """Seconds to wait before retry number `retry`: exponential with full jitter, never less than asked for.

    Numbers begin at 1; 0 is for a fault by chance, which a second try soon mends.
    """
    jitter = random.uniform(0, min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(retry - 1, 32)))
    return jitter if after_s is None else min(after_s, LONGEST_RETRY_AFTER_S) + min(jitter, FIRST_DELAY_S)


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds that `Retry-After` asks for, given in seconds or as an HTTP date; None where it says nothing."""
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    try:
        return max(0.0, float(value)) if value.replace(".", "", 1).isdigit() else _until(value, now)
    except ValueError:
        return None


def _until(value: str, now: datetime) -> float:
    date = parsedate_to_datetime(value)
    return max(0.0, ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds())


def error_of(body: bytes) -> tuple[str, str]:
    """Message and code of an error body; all of it and "" where it is not of the usual form."""
    try:
        value: Any = orjson.loads(body)
    except ValueError:
        value = None
    error = value.get("error", value) if isinstance(value, dict) else None
    if isinstance(error, dict):
        text, code = str(error.get("message") or error), str(error.get("code") or error.get("type") or "")
    else:
        text, code = error if isinstance(error, str) else body.decode("utf-8", "replace"), ""
    return " ".join(text.split()), code


def raise_fault(status: int, headers: Mapping[str, str], body: bytes, *, answered: bool, structured: bool) -> None:
    """Raise what a status other than 200 means.

    Before the first answer of a session, what would be wrong with every request alike stops the run; after it, it can
    only be about this one.

    Raises:
        EngineUnavailable: no request would be answered: key, quota, model or address.
        NoStructuredOutput: `structured` was asked for and the server says that it lacks it.
        TryAgain: a passing fault.
        GiveUpRow: this request cannot be answered.
    """
    message, code = error_of(body)
    detail = f"HTTP {status}: {message}"
    if remedy := _remedy(status, message, code, answered):
        raise EngineUnavailable(f"{detail}; {remedy}")
    if status in TRY_AGAIN or status >= 500:
        after_s = retry_after_s(headers, datetime.now(UTC))
        raise TryAgain(TRY_AGAIN.get(status, "server_error"), detail, after_s, overload=status in OVERLOAD)
    if structured and status in (400, 422) and _names_structure(message):
        raise NoStructuredOutput(detail)
    raise GiveUpRow("bad_request", detail)


def _remedy(status: int, message: str, code: str, answered: bool) -> str:
    """What a person can do about a fault that every request would meet; "" for other faults."""
    lower = message.lower()
    missing = "not found" in lower or "does not exist" in lower
    if status == 401 or (status == 403 and not answered):
        return "check PERSONA_API_KEY"
    if status == 402 or code == "insufficient_quota":
        return "the account has no money left; answers so far are kept"
    if 400 <= status < 500 and (code == "model_not_found" or (status == 404 and "model" in lower and missing)):
        return "check PERSONA_MODEL"
    if not answered and (300 <= status < 400 or status in (404, 405)):
        return "check PERSONA_BASE_URL (it usually ends in /v1; redirects are not followed)"
    return ""


def _names_structure(message: str) -> bool:
    lower = message.lower()
    return any(
        word in lower for word in ("response_format", "json_schema", "json_object", "guided", "structured", "schema")
    )
