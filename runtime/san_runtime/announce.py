"""Who wants to be told that code is being compiled, which may take a minute.

Apart from the compiler, so that the command line can ask for it without loading numba.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_waiting: list[Callable[[], None]] = []


def when_compiling(tell: Callable[[], None]) -> None:
    """Call `tell`, and nobody else, once the first function is compiled that is not cached."""
    _waiting[:] = [tell]


def compiling() -> None:
    """A function is about to be compiled."""
    if _waiting:
        _waiting.pop()()
