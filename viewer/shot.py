"""A picture of the page without a display."""

from __future__ import annotations

import time
from pathlib import Path

from meshlearn.viewer.app import App
from meshlearn.viewer.browser import Browser

_CONNECTED = "document.querySelector('canvas') !== null"
_TWO_FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


def take_shot(app: App, path: Path, *, size: tuple[int, int] = (1280, 800)) -> None:
    """Writes what a headless browser shows of the page as a PNG.

    Raises:
        RuntimeError: no browser on this machine.
        TimeoutError: the page did not come up.
    """
    with Browser(size) as browser:
        browser.open(f"{app.url}/?smooth")
        browser.wait(_CONNECTED)
        end = time.monotonic() + 30
        while not app.page.clients():
            if time.monotonic() > end:
                raise TimeoutError("the page did not connect within 30 s")
            browser.evaluate("1")
            time.sleep(0.05)
        path.write_bytes(settled(browser))


def settled(browser: Browser, *, patience: float = 30.0, calm: float = 0.8) -> bytes:
    """The page's picture once it stayed the same for `calm` seconds, frames being drawn."""
    end = time.monotonic() + patience
    last, since = b"", time.monotonic()
    while time.monotonic() < end:
        browser.evaluate(_TWO_FRAMES)
        now = browser.screenshot()
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since >= calm:
            break
        time.sleep(0.1)
    return last
