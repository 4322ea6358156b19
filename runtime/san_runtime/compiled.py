"""The coding functions of `san_stream.coding`, compiled by numba."""

from __future__ import annotations

import types
from functools import cache
from typing import Any

import numpy as np

from san_runtime.jit import jit
from san_stream.coding import numbers, range_coder, residual, side, spikes
from san_stream.coding.core import Core

_MODULES = (range_coder, numbers, side, spikes, residual)


def _compile_modules() -> dict[str, Any]:
    """Each function of the coding modules, compiled, calling its compiled kin.

    The plain functions stay as they are; the compiled ones are made from the same code
    with globals in which every coding function is the compiled one.
    """
    compiled: dict[str, Any] = {}
    for module in _MODULES:
        for name, function in list(vars(module).items()):
            if isinstance(function, types.FunctionType) and function.__module__ == module.__name__:
                scope = {**vars(module), **compiled}
                twin = types.FunctionType(function.__code__, scope, name, function.__defaults__)
                twin.__module__ = module.__name__
                twin.__qualname__ = function.__qualname__
                compiled[name] = jit(twin)
    return compiled


def _integers(size: int, value: int) -> Any:
    return np.full(size, value, np.int64)


def _octets(size: int) -> Any:
    return np.zeros(size, np.uint8)


def _loaded(data: bytes) -> Any:
    return np.array(bytearray(data), np.uint8)  # writable: one compiled form serves all


def _listed(values: Any) -> Any:
    return np.array(values, dtype=np.int64)


@cache
def compiled_core() -> Core:
    """The compiled coding functions; they work on int64 and uint8 arrays."""
    functions = _compile_modules()
    names = [name for name in Core.__slots__ if name in functions]
    return Core(
        name="compiled",
        integers=_integers,
        listed=_listed,
        octets=_octets,
        loaded=_loaded,
        **{name: functions[name] for name in names},
    )
