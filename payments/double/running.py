"""The double as a process of its own, for tests and whoever supervises it."""

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

STOP_S = 5
ROOT = Path(__file__).parents[2]


class RunningDouble:
    """Started on entry, stopped on exit; `url` is what StripeGateway's `base_url` wants."""

    def __init__(self, *, port: int = 0, webhook_url: str | None = None, webhook_secret: str = "") -> None:
        self._arguments = [sys.executable, "-m", "payments.double", "--port", str(port)]
        if webhook_url:
            self._arguments += ["--webhook-url", webhook_url, "--webhook-secret", webhook_secret]
        self.url = ""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(  # noqa: S603
            self._arguments, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert self._process.stdout is not None
        self.url = json.loads(self._process.stdout.readline())["url"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> int:
        """The exit status; 0 is what SIGTERM should give."""
        self._process.terminate()
        try:
            status = self._process.wait(STOP_S)
        finally:
            self._process.kill()
            if self._process.stdout is not None:
                self._process.stdout.close()
        return status

    def post(self, verb: str, **body: Any) -> Any:
        """A control verb, such as `post("clock/forward", seconds=3600)`."""
        return self._answer(requests.post(f"{self.url}/_control/{verb}", json=body, timeout=10))

    def get(self, verb: str, **wanted: str) -> Any:
        """A control verb that only looks, such as `get("objects", kind="charge")`."""
        return self._answer(requests.get(f"{self.url}/_control/{verb}", params=wanted, timeout=10))

    @staticmethod
    def _answer(response: requests.Response) -> Any:
        response.raise_for_status()
        return response.json()
