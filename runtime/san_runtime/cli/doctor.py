"""``san-stream doctor``: what is installed, what is missing, what would repair it."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import click

from san_runtime.cli.console import say, say_json
from san_runtime.cli.options import json_option
from san_stream.errors import MissingExtraError

PACKAGES: Final = {
    "numpy": "",
    "numba": "runtime",
    "click": "runtime",
    "rich": "runtime",
    "serial": "runtime",
    "wfdb": "physionet",
    "edfio": "edf",
    "torch": "train",
    "matplotlib": "train",
    "onnx": "export",
    "onnxruntime": "onnx",
}
"""Import names and the extra that brings each; empty: always there."""

_DISTRIBUTIONS: Final = {"serial": "pyserial"}


@click.command(name="doctor", short_help="Say what is installed and what is missing.")
@json_option
@click.option("--warm", is_flag=True, help="Compile the codec now, so that nobody waits later.")
def command(as_json: bool, warm: bool) -> int:
    """Report Python, packages, the compiler's cache, CPU, CUDA and data on this machine."""
    found = examine()
    if warm:
        found["warmed_seconds"] = _warm()
    if as_json:
        say_json(found)
        return 0
    rows = [("san-stream", str(found["san_stream"] or "not installed"))]
    rows += [("python", found["python"]), ("system", found["system"])]
    rows += [("cpu", f"{found['cpu']}, {found['cores']} cores")]
    rows += [(name, str(value or "missing")) for name, value in found["packages"].items()]
    cache = found["numba_cache"]
    rows += [("compiler cache", f"{cache['folder']} ({cache['state']})")]
    if warm:
        rows += [("compiled", f"all of the codec, {found['warmed_seconds']:.1f} s")]
    rows += [("CUDA", found["cuda"]), ("SAN_STREAM_DATA", found["data"])]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        say(f"{name.ljust(width)}  {value}")
    for extra, names in found["missing"].items():
        say(f"missing {', '.join(names)}: pip install 'san-stream[{extra}]'")
    return 0


def examine() -> dict[str, Any]:
    """All that is reported, as JSON would have it."""
    packages = {name: _version(name) for name in PACKAGES}
    missing: dict[str, list[str]] = {}
    for name, extra in PACKAGES.items():
        if packages[name] is None:
            missing.setdefault(extra, []).append(name)
    return {
        "san_stream": _distribution_version("san-stream"),
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "packages": packages,
        "missing": missing,
        "numba_cache": _cache(),
        "cuda": _cuda(),
        "data": os.environ.get("SAN_STREAM_DATA") or "not set",
    }


def _version(name: str) -> str | None:
    if find_spec(name) is None:
        return None
    return _distribution_version(_DISTRIBUTIONS.get(name, name)) or "version unknown"


def _distribution_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _cache() -> dict[str, str]:
    """Where compiled code of this package is kept, and whether it can be."""
    if find_spec("numba") is None:
        return {"folder": "-", "state": "nothing is compiled without numba"}
    from san_runtime.jit import cache_directory

    chosen = os.environ.get("NUMBA_CACHE_DIR")
    folder = Path(chosen) if chosen else cache_directory()
    if folder is None:
        return {
            "folder": "-",
            "state": "no safe folder: compiled anew each time",
        }
    try:
        with tempfile.TemporaryFile(dir=folder):
            state = "writable"
    except OSError:
        state = "not writable: compiled anew each time"
    return {"folder": str(folder), "state": state}


def _warm() -> float:
    """Fill the compiler's cache; the seconds that it took.

    Raises:
        MissingExtraError: the compiler is not installed.
    """
    if find_spec("numba") is None:
        raise MissingExtraError("numba", "runtime", "doctor --warm")
    from san_runtime.warm import warm

    begun = time.perf_counter()
    warm()
    return time.perf_counter() - begun


def _cuda() -> str:
    if find_spec("numba") is None:
        return "unknown without numba"
    try:
        from numba import cuda
    except ImportError as error:
        return f"no ({error})"
    return "yes" if cuda.is_available() else "no"  # type: ignore[no-untyped-call]
