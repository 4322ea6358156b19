"""``python -m san_runtime`` is the command ``san-stream``."""

import sys

from san_runtime.cli import main

if __name__ == "__main__":
    sys.exit(main())
