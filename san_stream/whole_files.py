"""Files that are replaced as a whole or not at all."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from os import PathLike


def write_whole(path: str | PathLike[str], data: bytes) -> None:
    """Write a file; whatever goes wrong, what stood there before still stands there.

    Raises:
        OSError: it cannot be written.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    with partial.open("xb") as file:  # "x" follows no link and takes no file
        try:
            file.write(data)
            file.close()
            partial.replace(target)
        except BaseException:
            file.close()
            partial.unlink()
            raise
