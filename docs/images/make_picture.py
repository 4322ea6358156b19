# ruff: noqa: INP001 - a script of the tree; it is in no package and in no wheel
"""Makes docs/images/demo.png from the report of the demo, with a headless Chromium.

::

    san-stream demo
    python docs/images/make_picture.py san-stream-demo.html docs/images/demo.png
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

PART = "figure&t=20.35&hide=residual"
SIZE = (1280, 608)


def main() -> None:
    """Read the command line and take the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--browser", default="chromium", help="command of a Chromium")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as profile:
        command = [
            arguments.browser,
            "--headless",
            "--no-sandbox",  # it opens one local page, which can load nothing
            "--disable-gpu",
            "--hide-scrollbars",
            "--disable-background-networking",
            f"--user-data-dir={profile}",
            f"--window-size={SIZE[0]},{SIZE[1]}",
            f"--screenshot={arguments.picture.resolve()}",
            f"{arguments.report.resolve().as_uri()}#{PART}",
        ]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
