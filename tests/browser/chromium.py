"""Chromium, driven through its own pipe: no driver, no download, no port."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

_NAMES = ("chromium", "chromium-browser", "google-chrome")


def command() -> str:
    """Where Chromium is.

    Raises:
      SystemExit: it is not installed.
    """
    for name in _NAMES:
        if (place := shutil.which(name)) is not None:
            return place
    raise SystemExit(
        "make browser: Chromium must be installed, for instance by "
        "'apt-get install chromium'; got none"
    )


class Browser:
    """One headless Chromium with one tab, whose messages are collected."""

    def __init__(self) -> None:
        """Starts it."""
        self.logged: list[str] = []
        self._count, self._rest = 0, b""
        self._home = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        down, self._to = os.pipe()
        self._from, up = os.pipe()
        words = [command(), "--headless", "--remote-debugging-pipe", "--disable-gpu",
                 "--no-sandbox", "--hide-scrollbars", "--no-first-run",
                 "--host-resolver-rules=MAP * ~NOTFOUND",
                 f"--user-data-dir={self._home.name}", "about:blank"]  # fmt: skip

        def pipes() -> None:
            high = os.dup(down), os.dup(up)
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self._process = subprocess.Popen(
            words,
            preexec_fn=pipes,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(down)
        os.close(up)
        targets = self._send("Target.getTargets", {})["targetInfos"]
        tab = next(one["targetId"] for one in targets if one["type"] == "page")
        attach = {"targetId": tab, "flatten": True}
        self._session = self._send("Target.attachToTarget", attach)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.do(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._home.cleanup()

    def do(self, method: str, **fields: Any) -> dict[str, Any]:
        """One command to the tab, and its answer."""
        return self._send(method, fields, self._session)

    def run(self, script: str) -> Any:
        """What a script in the page gives, once its promise is kept."""
        fields = {"expression": script, "awaitPromise": True, "returnByValue": True}
        answer = self.do("Runtime.evaluate", **fields)
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def open(self, page: Path, *, width: int, dark: bool) -> None:
        """Loads a page in a window of a width, and waits until its charts are drawn."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1}
        self.do("Emulation.setDeviceMetricsOverride", mobile=False, **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.do("Emulation.setEmulatedMedia", features=[scheme])
        self.do("Page.navigate", url=page.resolve().as_uri())
        self._wait(lambda said: said.get("method") == "Page.loadEventFired")
        self.run("window.charts ?? Promise.resolve()")
        self.run("new Promise(done => setTimeout(done, 300))")

    def picture(self, place: Path, *, most: int = 6000) -> None:
        """The page from top to bottom as PNG, as far as ``most`` pixels."""
        size = self.do("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "scale": 1}
        clip["height"] = min(size["height"], most)
        fields = {"clip": clip, "captureBeyondViewport": True, "format": "png"}
        data = self.do("Page.captureScreenshot", **fields)["data"]
        place.write_bytes(base64.b64decode(data))

    def _send(self, method: str, fields: Any, session: str = "") -> dict[str, Any]:
        self._count += 1
        number = self._count
        message = {"id": number, "method": method, "params": fields}
        if session:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        answer = self._wait(lambda said: said.get("id") == number)
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def _wait(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        while True:
            while b"\0" not in self._rest:
                got = os.read(self._from, 1 << 20)
                if not got:
                    raise AssertionError("Chromium ended")
                self._rest += got
            line, _, self._rest = self._rest.partition(b"\0")
            said = json.loads(line)
            self._collect(said)
            if wanted(said):
                return said

    def _collect(self, said: dict[str, Any]) -> None:
        """Keeps what a page logs as a warning or error, and what it throws."""
        fields = said.get("params", {})
        if said.get("method") == "Runtime.exceptionThrown":
            self.logged.append(str(fields["exceptionDetails"]))
        elif said.get("method") == "Log.entryAdded":
            if fields["entry"]["level"] in ("error", "warning"):
                self.logged.append(fields["entry"]["text"])
        elif said.get("method") == "Runtime.consoleAPICalled" and fields["type"] in (
            "error", "warning", "assert",
        ):  # fmt: skip
            self.logged.append(" ".join(str(a.get("value")) for a in fields["args"]))
