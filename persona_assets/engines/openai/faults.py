"""What an HTTP answer that is not a completion means, in what a caller does: try again, give up the row, stop."""

import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

import orjson

from persona_assets.engines.base import EngineUnavailable, Request
from persona_assets.engines.openai.form import Form, Refusal

TRY_AGAIN = {408: "timeout", 409: "server_error", 425: "server_error", 429: "rate_limited"}
OVERLOAD = {429, 503, 504, 529}
FIRST_DELAY_S = 0.5  # mean wait before the first retry is half of it
LONGEST_DELAY_S = 60.0  # a server that is down for longer is not asked more often than this
DETAIL_CHARACTERS = 300  # of a fault's detail that is kept
# Words of a refusal that is about what a prompt says, not about who asks.
_OF_THE_CONTENT = re.compile(
    r"moderat|flagged|\bpolic(?:y|ies)\b|content[ _-]?(?:filter|management|safety|violation|security)|safety|unsafe"
    r"|responsible|harmful|violen|sexual|self[-_ ]harm|hate|inappropriate|offensive|sensitive|prohibited|toxic|nsfw"
    r"|jailbreak|guardrail|data_?inspection|acceptable use|your input|(?:your|this|the) (?:prompt|content|text|message)"
    r"|违规|敏感|不当|审核|内容安全|недопустим|запрещ"
)
_OF_WHO_ASKS = re.compile(
    r"account|api[ _-]?key|organi[sz]ation|billing|permission|access (?:token|denied)|credential|country|region"
    r"|authori[sz]ed|subscription"
)
KEY_SHOWN = "***"  # what stands for the key where a server's error message repeats it
LONGEST_RETRY_AFTER_S = 600.0  # a wish beyond is taken as this, so that a wrong header cannot stop a run for a day


def clean(text: str, secrets: Iterable[str]) -> str:
    """A detail fit to be kept: without the key and the like, which some servers repeat, and cut after that."""
    for secret in secrets:
        text = text.replace(secret, KEY_SHOWN)
    return text[:DETAIL_CHARACTERS]


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


class OtherForm(Exception):
    """The server does not take requests of this form; `form` is the one to try."""

    def __init__(self, detail: str, form: Form) -> None:
        super().__init__(detail)
        self.detail, self.form = detail, form


class Forbidden(EngineUnavailable):
    """A refusal that every request would meet, or this one alone: it shows when another one is answered."""


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


def error_of(body: bytes) -> Refusal:
    """What an error body says; all of it where it is not of a usual form."""
    try:
        value: Any = orjson.loads(body)
    except ValueError:
        value = None
    error = value.get("error", value) if isinstance(value, dict) else None
    if not isinstance(error, dict):
        text = error if isinstance(error, str) else body.decode("utf-8", "replace")
        return Refusal(" ".join(text.split()))
    text, field = str(error.get("message") or ""), str(error.get("param") or "")
    if not text and isinstance(faults := error.get("detail"), list):
        faults = [one for one in faults if isinstance(one, dict)]
        text = "; ".join(f"{'.'.join(map(str, one.get('loc') or ()))}: {one.get('msg')}" for one in faults)
    code = str(error.get("code") or error.get("type") or "")
    return Refusal(" ".join((text or str(error)).split()), code, field, str(error))


@dataclass(frozen=True, slots=True)
class Sent:
    """What is known of a request that was refused: its form, its parameters, and whether it has a schema."""

    form: Form
    fields: tuple[str, ...]
    structured: bool

    @classmethod
    def of(cls, request: Request, form: Form) -> "Sent":
        """Of a request that was sent in a form."""
        return cls(form, tuple(request.sampling.fields), bool(request.response_schema))


def raise_fault(
    status: int, headers: Mapping[str, str], body: bytes, *, answered: bool, sent: Sent | None = None
) -> NoReturn:
    """Raise what a status other than 200 means.

    Before the first answer of a session, what would be wrong with every request alike stops the run; after it, it can
    only be about this one.

    Raises:
        EngineUnavailable: no request would be answered: key, quota, model or address; `Forbidden`, where that shows
            only when others are answered.
        OtherForm: the server takes the request that was `sent` in another form.
        TryAgain: a passing fault.
        GiveUpRow: this request cannot be answered.
    """
    refusal = error_of(body)
    detail = f"HTTP {status}: {refusal.message}"
    if remedy := _remedy(status, refusal):
        raise EngineUnavailable(f"{detail}; {remedy}")
    if not answered and (remedy := _remedy_at_first(status, refusal)):
        raise Forbidden(f"{detail}; {remedy}")
    if status in TRY_AGAIN or status >= 500:
        after_s = retry_after_s(headers, datetime.now(UTC))
        raise TryAgain(TRY_AGAIN.get(status, "server_error"), detail, after_s, overload=status in OVERLOAD)
    if sent and status in (400, 422) and (form := sent.form.after(refusal, sent.fields, structured=sent.structured)):
        raise OtherForm(detail, form)
    raise GiveUpRow("bad_request", detail)


def _remedy(status: int, refusal: Refusal) -> str:
    """What a person can do about a fault that every request would meet; "" for other faults."""
    lower, code = refusal.message.lower(), refusal.code
    missing = "not found" in lower or "does not exist" in lower
    if status == 401:
        return "check PERSONA_API_KEY"
    if status == 402 or code == "insufficient_quota":
        return "the account has no money left; answers so far are kept"
    if 400 <= status < 500 and (code == "model_not_found" or (status == 404 and "model" in lower and missing)):
        return "check PERSONA_MODEL"
    return ""


def _remedy_at_first(status: int, refusal: Refusal) -> str:
    """The same for a fault that every request would meet unless others are answered.

    A refusal that speaks of the content of a request is about that one.
    """
    if status == 403:
        is_of_the_content = _OF_THE_CONTENT.search(refusal.told) and not _OF_WHO_ASKS.search(refusal.told)
        return "" if is_of_the_content else "check PERSONA_API_KEY"
    if 300 <= status < 400 or status in (404, 405):
        return "check PERSONA_BASE_URL (it usually ends in /v1; redirects are not followed)"
    return ""
