"""How this package compiles: one decorator, so that the policy stands in one place.

Compiled code is kept on disk. numba does not notice an edit in an imported module, and a
cache holds pickles, so the cache lives in a directory of its own for each state of the
sources, below one that belongs to the user and that nobody else can enter; where there
is none such, nothing is cached. `NUMBA_CACHE_DIR` overrides this.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numba
from numba.core import config, event

import san_stream.coding
from san_runtime.announce import compiling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEPT_CACHES: Final = 3
"""How many states of the sources keep their cache."""


class _CompileListener(event.Listener):
    """Passes on that the compiler starts; code from the cache does not come by here."""

    def on_start(self, event: object) -> None:
        """A function is about to be compiled."""
        del event
        compiling()

    def on_end(self, event: object) -> None:
        """It was."""


event.register("numba:compile", _CompileListener())  # type: ignore[no-untyped-call]


def user_cache() -> Path:
    """Where this platform keeps a user's caches."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _sources() -> Iterator[Path]:
    """The files whose functions are compiled."""
    own = Path(__file__).parent
    for folder in (own, own / "backends", Path(san_stream.coding.__file__).parent):
        yield from sorted(folder.glob("*.py"))


def _is_private(path: Path) -> bool:
    """Whether the directory is the user's own and closed to all others."""
    if sys.platform == "win32":
        return True  # below the user's profile; Windows keeps others out by default
    found = path.stat(follow_symlinks=False)
    owned = found.st_uid == os.getuid() and stat.S_ISDIR(found.st_mode)
    return owned and stat.S_IMODE(found.st_mode) & 0o077 == 0


@cache
def cache_directory() -> Path | None:
    """The directory of compiled code for these sources, or None where none is safe."""
    digest = hashlib.sha256(f"{numba.__version__} {sys.version}".encode())
    for source in _sources():
        digest.update(source.read_bytes())
    root = user_cache() / "san-stream"
    path = root / f"numba-{digest.hexdigest()[:16]}"
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_private(root):
            return None
        path.mkdir(mode=0o700, exist_ok=True)
        if not _is_private(path):
            return None
        path.touch()
        older = sorted(root.glob("numba-*"), key=lambda p: p.stat().st_mtime)[:-KEPT_CACHES]
    except (OSError, RuntimeError):  # RuntimeError: no home directory
        return None
    for stale in older:
        shutil.rmtree(stale, ignore_errors=True)
    return path


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
    if "NUMBA_CACHE_DIR" in os.environ:
        return numba.njit(cache=True, **options)(function)
    directory = cache_directory()
    if directory is None:
        return numba.njit(**options)(function)
    settings: Any = config
    before = settings.CACHE_DIR
    settings.CACHE_DIR = str(directory)  # read once, when the dispatcher is made
    try:
        return numba.njit(cache=True, **options)(function)
    finally:
        settings.CACHE_DIR = before
