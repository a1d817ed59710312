"""A headless Chromium driven by its DevTools protocol: opens a page, evaluates, notes errors."""

import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websocket import create_connection

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
_PATIENCE = 60  # seconds


class Browser:
    """One tab.

    Attributes:
        errors: exceptions and errors that the page raised or logged. requests: addresses it asked
        for.
    """

    def __init__(self, address: str):
        self._socket = create_connection(address, timeout=_PATIENCE, suppress_origin=True)
        self._calls = 0
        self.errors: list[str] = []
        self.requests: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict:
        """The protocol's answer; events on the way are noted."""
        self._calls += 1
        message = {"id": self._calls, "method": method, "params": parameters}
        self._socket.send(json.dumps(message))
        while True:
            found = json.loads(self._socket.recv())
            if found.get("id") == self._calls:
                assert "error" not in found, found
                return found["result"]
            self._note(found.get("method"), found.get("params", {}))

    def _note(self, event: str | None, about: dict) -> None:
        if event == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(about["exceptionDetails"]))
        elif event == "Log.entryAdded" and about["entry"]["level"] == "error":
            self.errors.append(about["entry"]["text"])
        elif event == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])

    def value(self, expression: str) -> Any:
        """What JavaScript evaluates to."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def open(self, page: Path, width: int, height: int) -> None:
        """Show a file in a window of this size, in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        self.call("Page.navigate", url=page.resolve().as_uri())
        wait(lambda: self.value("location.protocol + document.readyState") == "file:complete")


def wait(done) -> None:
    """Until it is done; an error after a minute."""
    deadline = time.monotonic() + _PATIENCE
    while not done():
        assert time.monotonic() < deadline, "the browser does not answer"
        time.sleep(0.05)


@contextmanager
def browser() -> Iterator[Browser]:
    """A tab of a browser of its own, which ends with it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [CHROMIUM, "--headless=new", "--disable-gpu", "--remote-debugging-port=0"]
        command += ["--no-sandbox"] if os.getuid() == 0 else []  # which root's cannot have
        process = subprocess.Popen(
            [*command, f"--user-data-dir={folder}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            port = Path(folder, "DevToolsActivePort")
            wait(lambda: port.is_file() and port.read_text().count("\n"))
            address = f"http://127.0.0.1:{port.read_text().splitlines()[0]}/json"
            with urllib.request.urlopen(address, timeout=_PATIENCE) as answer:
                tabs = [tab for tab in json.load(answer) if tab["type"] == "page"]
            yield Browser(tabs[0]["webSocketDebuggerUrl"])
        finally:
            process.terminate()
            process.wait()
