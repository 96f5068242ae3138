"""HTTP to one server: a body in, an answer out, every way in which that can go wrong as a typed fault.

pyreqwest asks three times as many requests a second of a core as the clients that are written in Python.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address

from pyreqwest.client import ClientBuilder
from pyreqwest.exceptions import ConnectError, DetailedPyreqwestError, RequestError, RequestTimeoutError
from yarl import URL

from persona_assets.engines.openai.faults import GiveUpRow, TryAgain
from persona_assets.settings import Settings

MOST_BYTES = 64 << 20  # of an answer that are read into memory
AGENT = "persona-assets"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered: status, the header `Retry-After` ("" where there is none), body."""

    status: int
    retry_after: str
    body: bytes


class Client:
    """Connections to one address, kept alive from request to request.

    Redirects are not followed. The proxies of the environment are used for `https` to other machines only: a plain
    request would show them the key, and this machine needs none.
    """

    def __init__(self, address: URL, headers: Mapping[str, str], settings: Settings) -> None:
        """No connection is made yet. `headers` are sent with every request, as is the query of the settings."""
        headers = {"Content-Type": "application/json", "Accept": "application/json", **headers}
        self._address = str(address.with_query(settings.query))
        self._connect_s = min(settings.connect_timeout_s, settings.timeout_s)
        self._read_s, self._total_s = settings.read_timeout_s, settings.timeout_s
        builder = (
            ClientBuilder()
            .default_headers(headers)
            .user_agent(AGENT)
            .follow_redirects(False)
            .connect_timeout(timedelta(seconds=self._connect_s))
            .read_timeout(timedelta(seconds=self._read_s))
            .timeout(timedelta(seconds=self._total_s))
            .pool_max_idle_per_host(settings.concurrency)
        )
        if address.scheme == "http" or _is_this_machine(address.host or ""):
            builder = builder.no_proxy()
        self._client = builder.build()

    async def post(self, body: bytes) -> Reply:
        """Send one request.

        Raises:
            TryAgain: no connection, or none that held until the answer was complete in time.
            GiveUpRow: the answer is larger than memory should hold.

        """
        sent = time.monotonic()
        try:
            async with self._client.post(self._address).body_bytes(body).build_streamed() as response:
                answer = await response.body_reader.read(MOST_BYTES + 1)
        except RequestTimeoutError as error:
            raise self._late(error, time.monotonic() - sent) from error
        except RequestError as error:
            unreachable = isinstance(error, ConnectError) and _before_sending(error)
            raise TryAgain("connection", _cause(error), overload=True, unreachable=unreachable) from error
        if answer is not None and len(answer) > MOST_BYTES:
            raise GiveUpRow("protocol", f"the answer is larger than {MOST_BYTES >> 20} MiB")
        return Reply(response.status, response.get_header("retry-after") or "", bytes(answer or b""))

    def _late(self, error: RequestTimeoutError, seconds: float) -> TryAgain:
        if _before_sending(error):
            detail = f"no connection within {self._connect_s:g} s"
            return TryAgain("connection", detail, overload=True, unreachable=True)
        if seconds >= self._total_s:
            return TryAgain("timeout", f"no answer within {self._total_s:g} s", overload=True)
        return TryAgain("timeout", f"no byte of an answer for {self._read_s:g} s", overload=True)


def _causes(error: DetailedPyreqwestError) -> list[str]:
    return [cause["message"] for cause in error.details["causes"] or []]


def _cause(error: DetailedPyreqwestError) -> str:
    return (_causes(error) or [error.message])[-1]


def _before_sending(error: DetailedPyreqwestError) -> bool:
    return "client error (Connect)" in _causes(error)


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
