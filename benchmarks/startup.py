"""What `import san_stream` costs over numpy: processor seconds, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from statistics import median

from _machine import describe

REPEATS = 15
CODE = (
    "import time, numpy\n"
    "start = time.process_time()\n"
    "import san_stream\n"
    "print(time.process_time() - start)\n"
)


def main() -> None:
    """Measure and print."""
    command = [sys.executable, "-c", CODE]
    seconds = [
        float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for _ in range(REPEATS)
    ]
    print(describe("numpy"))
    print(
        f"import san_stream over numpy: median {median(seconds):.3f} s, least {min(seconds):.3f} s"
    )


if __name__ == "__main__":
    main()
