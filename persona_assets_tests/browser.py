"""A headless Chromium, driven over its debugging protocol, for the page tests."""

import base64
import itertools
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "--window-size=1600,1000",
    "--hide-scrollbars",
]

# The middle of an element where a click there reaches it or its label; null where another lies over it.
_MIDDLE = """
  hit.scrollIntoView({block: 'center'});
  const box = hit.getBoundingClientRect();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const top = document.elementFromPoint(x, y);
  return top && (top.contains(hit) || hit.parentElement.contains(top)) ? [x, y] : null;
"""
_CLICK = """
(() => {
  const wanted = %s;
  const shown = [...document.querySelectorAll(%s)].filter(e => e.getClientRects().length && !e.disabled);
  const named = shown.filter(e => (e.innerText || "").includes(wanted));
  const hit = named.filter(e => (e.innerText || "").trim() === wanted)[0] || named.pop();
  if (!hit) return null;
  MIDDLE
})()
""".replace("MIDDLE", _MIDDLE)

_CLICK_ON = """
(() => {
  const hit = document.querySelector(%s);
  if (!hit) return null;
  MIDDLE
})()
""".replace("MIDDLE", _MIDDLE)


class Page:
    """One tab."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.numbers = itertools.count(1)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One protocol command and its answer."""
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv(timeout=30))
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(message["error"])
                return dict(message["result"])

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["text"])
        return answer["result"].get("value")

    def open(self, url: str) -> None:
        """Go to an address."""
        self.call("Page.navigate", url=url)

    @property
    def text(self) -> str:
        """All that the page shows."""
        return str(self.evaluate("document.body ? document.body.innerText : ''") or "")

    def shows(self, text: str, seconds: float = 30) -> bool:
        """True as soon as the page shows `text`; raises AssertionError with what it shows instead."""
        self._until(lambda: text in self.text, f"no {text!r} on the page", seconds)
        return True

    def click(self, text: str, selector: str = "button, a, [role=button]", seconds: float = 30) -> None:
        """Click, with the mouse, the visible element of that text."""
        self._click(_CLICK % (json.dumps(text), json.dumps(selector)), f"named {text!r}", seconds)

    def click_on(self, selector: str, seconds: float = 30) -> None:
        """Click, with the mouse, the first element that a CSS selector finds."""
        self._click(_CLICK_ON % json.dumps(selector), f"at {selector!r}", seconds)

    def _click(self, place: str, what: str, seconds: float) -> None:
        """Click once the element stands still: one that moves into place, as a dialogue does, is missed."""
        spot: list[float] = []

        def found() -> bool:
            before = spot[:]
            spot[:] = self.evaluate(place) or []
            return bool(spot) and spot == before

        self._until(found, f"nothing to click {what}", seconds)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=spot[0], y=spot[1], button="left", clickCount=1)

    def screenshot(self, path: Path) -> None:
        """Write what is shown as a PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def _until(self, holds: Any, what: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"{what} after {seconds} s; it shows:\n{self.text[:3000]}"
            time.sleep(0.2)


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """A Chromium with an empty profile and one tab."""
    assert CHROMIUM is not None
    process = subprocess.Popen(
        [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "about:blank"], stderr=subprocess.DEVNULL
    )
    try:
        port_file = profile / "DevToolsActivePort"
        deadline = time.monotonic() + 60
        while not port_file.exists() or not port_file.read_text():
            assert time.monotonic() < deadline, "Chromium did not start"
            time.sleep(0.1)
        port = port_file.read_text().splitlines()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
            target = next(tab for tab in json.load(answer) if tab["type"] == "page")
        with connect(target["webSocketDebuggerUrl"], max_size=None) as socket:
            yield Page(socket)
    finally:
        process.kill()
        process.wait()
