"""How this package compiles: one decorator, so that the policy stands in one place.

Compiled code is kept on disk, see `san_stream.code_cache`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numba
from numba.core import event

import san_stream.coding
from san_runtime.announce import compiling
from san_stream.code_cache import compile_cached, source_cache

if TYPE_CHECKING:
    from collections.abc import Callable


class _CompileListener(event.Listener):
    """Passes on that the compiler starts; code from the cache does not come by here."""

    def on_start(self, event: object) -> None:
        """A function is about to be compiled."""
        del event
        compiling()

    def on_end(self, event: object) -> None:
        """It was."""


event.register("numba:compile", _CompileListener())  # type: ignore[no-untyped-call]


def cache_directory() -> Path | None:
    """The directory of compiled code for these sources, or None where none is safe."""
    own = Path(__file__).parent
    folders = (own, own / "backends", Path(san_stream.coding.__file__).parent)
    return source_cache("numba", numba.__version__, folders)


def jit(function: Callable[..., Any], *, borrows: bool = False) -> Any:
    """Compile with numba on first use; the result is cached on disk and releases the GIL.

    Args:
        function: in numba's subset of Python.
        borrows: it works on the arrays it is given and makes none. Counting references to
            them is then left out, and it becomes a part of its callers: twice as fast where
            small functions hand the same arrays on for each bit.
    """
    options: dict[str, Any] = {"nogil": True}
    if borrows:
        options |= {"_nrt": False, "forceinline": True}
    return compile_cached(numba, function, cache_directory, **options)
