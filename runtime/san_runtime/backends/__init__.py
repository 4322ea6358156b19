"""Backends compute similarities; which positions are kept is decided in one shared place.

All give the same exact integers, so the choice changes speed and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from san_stream.errors import SettingError

if TYPE_CHECKING:
    from san_stream.protocols import Backend

NAMES = ("numba", "reference")


def get_backend(name: str = "numba") -> Backend:
    """The backend of this name, see `NAMES`.

    Raises:
        SettingError: there is no backend of this name.
    """
    if name == "numba":
        from san_runtime.backends.numba_backend import NumbaBackend

        return NumbaBackend()
    if name == "reference":
        from san_runtime.backends.reference_backend import ReferenceBackend

        return ReferenceBackend()
    raise SettingError(f"backend {name!r}: must be one of {', '.join(NAMES)}")
