"""The encoder of the demo, in a process of its own: ``san-stream replay``."""

from __future__ import annotations

import contextlib
import json
import queue
import re
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Self

from san_stream.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

START_SECONDS: Final = 60.0
END_SECONDS: Final = 10.0
ADDRESS: Final = re.compile(r"tcp://\S+:\d+")


class EncoderProcess:
    """Serves the stream on a free loopback port once somebody has connected.

    Ends with the block that it is entered for, whatever happens in it.
    """

    def __init__(self, record: str, speed: str, options: Sequence[str]) -> None:
        """Start the process.

        Args:
            record: what is replayed.
            speed: as on the command line.
            options: more of `replay`'s options.
        """
        # -P: a file of the current directory must not pass for a module of the packages.
        command = [sys.executable, "-P", "-m", "san_runtime", "replay", record]
        command += ["--to", "tcp-listen://127.0.0.1:0", "--wait", "--speed", speed, "--json"]
        self._process = subprocess.Popen(
            [*command, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
        self._lines: list[str] = []
        self._address: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, name="demo-encoder", daemon=True)
        self._reader.start()

    @property
    def identity(self) -> int:
        """Process id."""
        return self._process.pid

    def address(self) -> str:
        """URL that it listens on; waits until it does.

        Raises:
            SourceError: it ended before, or took too long.
        """
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            # Short waits, so that Ctrl-C works on every system.
            with contextlib.suppress(queue.Empty):
                address = self._address.get(timeout=0.2)
                if address is None:
                    raise self._error()
                return address
        raise SourceError(f"encoder process: no address within {START_SECONDS:g} s")

    def finish(self) -> dict[str, Any]:
        """Wait for its end.

        Returns:
            What `replay` reports of the run.

        Raises:
            SourceError: it failed.
        """
        text = self._process.stdout.read() if self._process.stdout else ""
        try:
            status = self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            raise SourceError(f"encoder process: still runs after {END_SECONDS:g} s") from None
        if status != 0:
            raise self._error()
        try:
            summary: dict[str, Any] = json.loads(text)
        except ValueError:
            raise SourceError(f"encoder process: no report but {text[:40]!r}") from None
        return summary

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._reader.join(END_SECONDS)
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _read(self) -> None:
        """Look for the address in what it says, and keep its last words."""
        for line in self._process.stderr or ():
            found = ADDRESS.search(line)
            if found is not None:
                self._address.put(found.group())
            elif line.strip():
                self._lines = [*self._lines[-4:], line.strip()]
        self._address.put(None)

    def _error(self) -> SourceError:
        self._process.wait(END_SECONDS)
        self._reader.join(END_SECONDS)
        last = self._lines[-1] if self._lines else f"status {self._process.returncode}"
        return SourceError(f"encoder process: {last.removeprefix('san-stream: error: ')}")
