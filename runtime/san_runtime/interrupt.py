"""Ctrl-C and SIGTERM that never cut a message in two.

The signals raise only while the pipeline waits for its source. At any other moment they
are noted, and the pipeline stops before it asks for more. A second one acts at once.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class Interrupt:
    """Watches for the signals while it is entered (main thread only; elsewhere idle).

    Attributes:
        number: the signal that came, or None.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._raises = False
        self._before: dict[int, object] = {}

    @property
    def status(self) -> int:
        """Exit status as shells give it: 128 + signal, 130 for Ctrl-C; 0 if none came."""
        return 0 if self.number is None else 128 + self.number

    @contextlib.contextmanager
    def raising(self) -> Iterator[None]:
        """In this block a signal raises `KeyboardInterrupt` at once."""
        if self.number is not None:
            raise KeyboardInterrupt
        self._raises = True
        try:
            yield
        finally:
            self._raises = False

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        again = self.number is not None
        self.number = number
        if self._raises or again:
            raise KeyboardInterrupt

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if number != signal.SIGINT and signal.getsignal(number) == signal.SIG_IGN:
                    continue  # nohup asked for it
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() gave us
        self._before.clear()
