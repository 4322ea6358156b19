"""The coding functions as one set: plain Python here, compiled by whoever has numba.

Every function of this package is written in a subset of Python that runs as it is, on
lists of integers, and that numba compiles, on integer arrays. `PLAIN` is the first form.
Both give the same bytes; a test holds them to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

MODULES: Final = (
    "range_coder",
    "numbers",
    "side",
    "spikes",
    "raw",
    "corrections",
    "vectors",
    "mixing",
    "least_squares",
    "beat_phase",
    "predictors",
    "mixed_residual",
    "other_leads",
    "mixed_coder",
    "fast_coder",
    "tiny_coder",
    "wavelet",
    "coefficients",
    "levels",
    "band_prediction",
    "transform_block",
    "cosine",
    "frame_block",
    "beats",
    "adaptive_kernels",
    "beat_blocks",
    "kernel_updates",
    "beat_search",
)
"""Modules of coding functions, each behind those that it calls."""


@dataclass(frozen=True, slots=True)
class Core:
    """Functions that read and write messages, and the storage they work on.

    The coding functions themselves are attributes, by the names they have in this package.

    Attributes:
        name: "plain" or "compiled".
        integers: a store of so many integers, all of one value.
        words: the same for integers of 32 bits, where there are many.
        listed: an array's (or list's) integers as such a store.
        octets: a writable store of so many bytes. loaded: given bytes, to read from.
        functions: the coding functions by name.
    """

    name: str
    integers: Callable[[int, int], Any]
    words: Callable[[int, int], Any]
    listed: Callable[[Any], Any]
    octets: Callable[[int], Any]
    loaded: Callable[[bytes], Any]
    functions: Mapping[str, Callable[..., Any]]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.functions[name]
        except KeyError:
            raise AttributeError(f"no coding function {name}") from None


def coding_modules() -> list[ModuleType]:
    """The modules of `MODULES`, loaded."""
    return [import_module(f"san_stream.coding.{name}") for name in MODULES]


def functions_of(module: ModuleType) -> dict[str, FunctionType]:
    """The functions that a module defines itself."""
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, FunctionType) and value.__module__ == module.__name__
    }


def plain_functions() -> dict[str, Callable[..., Any]]:
    """All coding functions by name; names are their own in the whole package."""
    found: dict[str, Callable[..., Any]] = {}
    for module in coding_modules():
        own = functions_of(module)
        if found.keys() & own.keys():
            raise RuntimeError(f"coding functions of one name: {found.keys() & own.keys()}")
        found.update(own)
    return found


def _integers(size: int, value: int) -> list[int]:
    return [value] * size


def _listed(values: Any) -> list[int]:
    return list(values.tolist() if hasattr(values, "tolist") else values)


PLAIN = Core(
    name="plain",
    integers=_integers,
    words=_integers,
    listed=_listed,
    octets=bytearray,
    loaded=bytes,
    functions=plain_functions(),
)
