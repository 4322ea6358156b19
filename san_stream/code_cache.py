"""Where compiled code is kept on disk, for whoever compiles with numba.

numba does not notice an edit in an imported module, and a cache holds pickles, so a cache lives
in a directory of its own for each state of the sources, below one that belongs to the user
and that nobody else can enter; where there is none such, nothing is cached.
`NUMBA_CACHE_DIR` overrides this.
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

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT_CACHES: Final = 3
"""How many states of the sources keep their cache."""


def user_cache() -> Path:
    """Where this platform keeps a user's caches."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _is_private(path: Path) -> bool:
    """Whether the directory is the user's own and closed to all others."""
    if sys.platform == "win32":
        return True  # below the user's profile; Windows keeps others out by default
    found = path.stat(follow_symlinks=False)
    owned = found.st_uid == os.getuid() and stat.S_ISDIR(found.st_mode)
    return owned and stat.S_IMODE(found.st_mode) & 0o077 == 0


@cache
def source_cache(kind: str, compiler: str, folders: tuple[Path, ...]) -> Path | None:
    """The directory of compiled code for these sources, or None where none is safe.

    Args:
        kind: begin of the directory's name; each kind keeps `KEPT_CACHES` of its own.
        compiler: its version.
        folders: whose modules are compiled.
    """
    digest = hashlib.sha256(f"{compiler} {sys.version}".encode())
    for folder in folders:
        for source in sorted(folder.glob("*.py")):
            digest.update(source.read_bytes())
    root = user_cache() / "san-stream"
    path = root / f"{kind}-{digest.hexdigest()[:16]}"
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_private(root):
            return None
        path.mkdir(mode=0o700, exist_ok=True)
        if not _is_private(path):
            return None
        path.touch()
        older = sorted(root.glob(f"{kind}-*"), key=lambda p: p.stat().st_mtime)[:-KEPT_CACHES]
    except (OSError, RuntimeError):  # RuntimeError: no home directory
        return None
    for stale in older:
        shutil.rmtree(stale, ignore_errors=True)
    return path


def compile_cached(
    numba: Any, function: Callable[..., Any], directory: Callable[[], Path | None], **options: Any
) -> Any:
    """`numba.njit` of a function, compiled on first use and kept in the directory.

    Args:
        numba: the package, which this one does not import.
        function: in numba's subset of Python.
        directory: gives the directory, or None: then nothing is kept.
        options: for numba.
    """
    if "NUMBA_CACHE_DIR" in os.environ:
        return numba.njit(cache=True, **options)(function)
    place = directory()
    if place is None:
        return numba.njit(**options)(function)
    config = numba.core.config
    before = config.CACHE_DIR
    config.CACHE_DIR = str(place)  # read once, when the dispatcher is made
    try:
        return numba.njit(cache=True, **options)(function)
    finally:
        config.CACHE_DIR = before
