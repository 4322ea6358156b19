"""The machine, in a line; one thread."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from _machine import describe

PACKAGES = ("numpy", "numba", "scipy", "wfdb")


def machine() -> str:
    """Processor, system, and the packages that the figures stand on."""
    return describe(*PACKAGES)
