"""How the trainer is compiled: one decorator, so that the policy stands in one place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numba

from san_stream.code_cache import compile_cached, source_cache

if TYPE_CHECKING:
    from collections.abc import Callable

REORDERED: Final = {"contract", "reassoc", "nsz", "arcp"}
"""Sums may be taken in any order, which is what lets them run in vectors; NaN stays NaN."""


def cache_directory() -> Path | None:
    """The directory of compiled code for these sources, or None where none is safe."""
    return source_cache("training", numba.__version__, (Path(__file__).parent,))


def jit(function: Callable[..., Any]) -> Any:
    """Compile with numba on first use; cached on disk, and without the GIL."""
    return compile_cached(numba, function, cache_directory, nogil=True, fastmath=REORDERED)
