from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from persona_assets.engines.base import EngineUnavailable
from persona_assets.engines.openai.faults import (
    LONGEST_DELAY_S,
    GiveUpRow,
    OtherForm,
    Sent,
    TryAgain,
    delay_s,
    raise_fault,
    retry_after_s,
)
from persona_assets.engines.openai.form import Form

SENT = Sent(Form(), ("temperature", "top_p", "max_tokens", "seed"), structured=True)
NOW = datetime(2026, 11, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("Sun, 01 Nov 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-3", None),
        ("", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(value: str, seconds: float | None) -> None:
    assert retry_after_s({"Retry-After": value}, NOW) == seconds


@hypothesis_settings(max_examples=50, deadline=None)
@given(retry=st.integers(0, 2000), after_s=st.none() | st.floats(0, 100))
def test_a_delay_is_never_shorter_than_asked_for_nor_without_bound(retry: int, after_s: float | None) -> None:
    assert (after_s or 0.0) <= delay_s(retry, after_s) <= LONGEST_DELAY_S + (after_s or 0.0)


@pytest.mark.parametrize(
    ("status", "body", "answered", "raised"),
    [
        (429, b'{"error": {"message": "slow down"}}', False, TryAgain),
        (429, b'{"error": {"message": "no money", "code": "insufficient_quota"}}', True, EngineUnavailable),
        (402, b"", True, EngineUnavailable),
        (404, b'{"error": {"message": "The model x does not exist"}}', True, EngineUnavailable),
        (404, b"Not Found", True, GiveUpRow),
        (404, b"Not Found", False, EngineUnavailable),
        (413, b"too large", False, GiveUpRow),
        (422, b'{"detail": [{"msg": "bad"}]}', False, GiveUpRow),
        (400, b'{"error": "response_format is unknown"}', False, OtherForm),
        (400, b"\xff\xfe", False, GiveUpRow),
        (529, b"", True, TryAgain),
        (408, b"", True, TryAgain),
        (409, b"", True, TryAgain),
        (425, b"", True, TryAgain),
    ],
)
def test_a_status_means(status: int, body: bytes, answered: bool, raised: type[Exception]) -> None:
    with pytest.raises(raised):
        raise_fault(status, {}, body, answered=answered, sent=SENT)


@pytest.mark.parametrize(("status", "overload"), [(429, True), (503, True), (529, True), (500, False), (409, False)])
def test_what_may_be_a_sign_of_too_much_at_once(status: int, overload: bool) -> None:
    with pytest.raises(TryAgain) as caught:
        raise_fault(status, {}, b"", answered=True)
    assert caught.value.overload is overload
