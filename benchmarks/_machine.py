"""What the benchmarks share: the machine that they ran on, and what they run on by default."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import san_runtime

_DEMO_DATA = Path(san_runtime.__file__).parent / "demo_data"
BUNDLED_RECORD = str(_DEMO_DATA / "100_1min")
BUNDLED_MODEL = _DEMO_DATA / "100_kernels.json"


def processor() -> str:
    """Name of the processor, as far as the platform tells."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def describe(*packages: str) -> str:
    """One line: processor, cores, system, Python and the versions of `packages`."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"{processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, {versions}"
    )
