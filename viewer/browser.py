"""A headless Chromium, driven through its debugging port: for screenshots and for tests.

The browser is found, never installed. It runs in an empty profile and may reach 127.0.0.1 only.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --use-gl=angle --use-angle=swiftshader "
    "--enable-unsafe-swiftshader --disable-quic --no-first-run --no-default-browser-check "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--disable-extensions --disable-dev-shm-usage --hide-scrollbars --mute-audio "
    "--disable-renderer-backgrounding --disable-background-timer-throttling"
).split()
# Names do not resolve and everything but this machine goes to a proxy that is not there.
OFFLINE = (
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--proxy-server=http://127.0.0.1:9",
    "--proxy-bypass-list=<-loopback>;127.0.0.1",
)


def find_browser() -> str | None:
    """Path of a Chromium or Chrome, from MESHLEARN_BROWSER or PATH; None where there is none."""
    named = os.environ.get("MESHLEARN_BROWSER")
    if named is not None:
        return named if named and os.access(named, os.X_OK) else None
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page of a headless browser; use it in a ``with`` statement.

    Args:
        size: (width, height) of the page in pixels.
        executable: the browser; default: `find_browser`.

    Attributes:
        requests: addresses the page has asked for.
        problems: texts of uncaught errors in the page.

    Raises:
        RuntimeError: no browser, or it does not start.
    """

    def __init__(self, size: tuple[int, int] = (1280, 800), executable: str | None = None) -> None:
        executable = executable or find_browser()
        if executable is None:
            raise RuntimeError("no Chromium was found on PATH; set MESHLEARN_BROWSER to one")
        self.size = size
        self.requests: list[str] = []
        self.problems: list[str] = []
        self._next = 0
        self._profile = tempfile.mkdtemp(prefix="meshlearn-view-")
        self._process = subprocess.Popen(
            [
                executable,
                *FLAGS,
                *OFFLINE,
                f"--user-data-dir={self._profile}",
                "--remote-debugging-port=0",
                f"--window-size={size[0]},{size[1]}",
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._connect()
        except BaseException:
            self.close()
            raise

    def _connect(self, patience: float = 30.0) -> None:
        from websockets.sync.client import connect

        port_file = Path(self._profile) / "DevToolsActivePort"
        end = time.monotonic() + patience
        pages: list[dict] = []
        while not pages:
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("the browser did not start; try it by hand with --headless")
            time.sleep(0.05)
            try:
                port = port_file.read_text().split()[0]
                opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
                with opener.open(f"http://127.0.0.1:{port}/json", timeout=5) as answer:
                    pages = [p for p in json.load(answer) if p["type"] == "page"]
            except (OSError, IndexError):
                continue
        self._socket = connect(
            pages[0]["webSocketDebuggerUrl"], max_size=None, compression=None, proxy=None
        )
        for domain in ("Page", "Runtime", "Network"):
            self.call(f"{domain}.enable")
        width, height = self.size
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip

    def call(self, method: str, *, patience: float = 60.0, **params: object) -> dict:
        """One command of the debugging protocol, and its result."""
        self._next += 1
        self._socket.send(json.dumps({"id": self._next, "method": method, "params": params}))
        end = time.monotonic() + patience
        while True:
            answer = json.loads(self._socket.recv(timeout=max(0.01, end - time.monotonic())))
            if answer.get("id") == self._next:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error'].get('message')}")
                return answer["result"]
            self._note(answer)

    def _note(self, event: dict) -> None:
        params = event.get("params", {})
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif event.get("method") == "Network.webSocketCreated":
            self.requests.append(params["url"])
        elif event.get("method") == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            text = details.get("exception", {}).get("description") or details.get("text", "")
            self.problems.append(text)

    def open(self, url: str) -> None:
        """Goes to an address; returns when it has been asked for."""
        self.call("Page.navigate", url=url)

    def evaluate(self, script: str) -> object:
        """Value of a JavaScript expression in the page; promises are awaited."""
        got = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in got:
            raise RuntimeError(f"in the page: {got['exceptionDetails']['exception']}")
        return got["result"].get("value")

    def wait(self, script: str, patience: float = 30.0) -> object:
        """Waits until an expression is true in the page.

        Raises:
            TimeoutError: naming the expression and the text of the page.
        """
        end = time.monotonic() + patience
        while True:
            value = self.evaluate(script)
            if value:
                return value
            if time.monotonic() > end:
                text = self.evaluate("document.body ? document.body.innerText : ''")
                raise TimeoutError(f"{script} stayed false; the page says: {str(text)[:600]}")
            time.sleep(0.05)

    def click(self, x: float, y: float) -> None:
        """A click of the left button at a place of the page, in pixels."""
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call(
                "Input.dispatchMouseEvent",
                type=kind, x=x, y=y, button="none" if kind == "mouseMoved" else "left",
                clickCount=0 if kind == "mouseMoved" else 1,
            )  # fmt: skip

    def drag(self, start: tuple[float, float], end: tuple[float, float], steps: int = 8) -> None:
        """The left button pressed, moved from one place of the page to another, and let go."""
        for step in range(-1, steps + 2):
            share = min(max(step, 0), steps) / steps
            x, y = (a + share * (b - a) for a, b in zip(start, end, strict=True))
            kind = "mousePressed" if step < 0 else "mouseMoved"
            kind = "mouseReleased" if step > steps else kind
            self.call(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1,
                clickCount=1,
            )  # fmt: skip
            time.sleep(0.03)

    def press(self, key: str) -> None:
        """A key pressed and let go: a letter, a sign, or a name such as "ArrowRight"."""
        code = f"Key{key.upper()}" if len(key) == 1 and key.isalpha() else key
        number = {"ArrowLeft": 37, "ArrowRight": 39}.get(key) or ord(key.upper()[0])
        for kind in ("keyDown", "keyUp"):
            text: dict[str, Any] = {"text": key} if kind == "keyDown" and len(key) == 1 else {}
            self.call(
                "Input.dispatchKeyEvent",
                type=kind, key=key, code=code, windowsVirtualKeyCode=number, **text,
            )  # fmt: skip

    def screenshot(self) -> bytes:
        """The page as it is, a PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def close(self) -> None:
        """Ends the browser and removes its profile."""
        socket = getattr(self, "_socket", None)
        if socket is not None:
            try:
                self.call("Browser.close", patience=2.0)
            except Exception:  # it may be gone already
                pass
            socket.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._profile, ignore_errors=True)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
