"""The coding functions of `san_stream.coding`, compiled by numba."""

from __future__ import annotations

import types
from functools import cache
from typing import Any

import numpy as np
from numba.core import config

import san_runtime.vectors
from san_runtime.jit import jit
from san_stream.coding import vectors
from san_stream.coding.core import PLAIN, Core, coding_modules, functions_of


def _compile_modules() -> dict[str, Any]:
    """Each function of the coding modules, compiled, calling its compiled kin.

    The plain functions stay as they are; the compiled ones are made from the same code
    with globals in which every coding function is the compiled one, and every table (a
    list or tuple of integers) a constant array.
    """
    compiled: dict[str, Any] = {}
    for module in coding_modules():
        scope = {name: _constant(value) for name, value in vars(module).items()}
        for name, function in functions_of(module).items():
            if module is vectors:
                compiled[name] = jit(getattr(san_runtime.vectors, name), borrows=True)
                continue
            twin = types.FunctionType(
                function.__code__, {**scope, **compiled}, name, function.__defaults__
            )
            twin.__module__ = module.__name__
            twin.__qualname__ = function.__qualname__
            compiled[name] = jit(twin, borrows=True)
    return compiled


def _constant(value: Any) -> Any:
    """A table as an array that numba takes for a constant; any other value as it is."""
    if isinstance(value, list | tuple) and value and all(type(v) is int for v in value):
        return np.array(value, np.int64)
    return value


def _integers(size: int, value: int) -> Any:
    return np.full(size, value, np.int64)


def _words(size: int, value: int) -> Any:
    return np.full(size, value, np.int32)


def _octets(size: int) -> Any:
    return np.zeros(size, np.uint8)


def _loaded(data: bytes) -> Any:
    return np.array(bytearray(data), np.uint8)  # writable: one compiled form serves all


def _listed(values: Any) -> Any:
    return np.array(values, dtype=np.int64)


@cache
def compiled_core() -> Core:
    """The compiled coding functions; they work on int64, int32 and uint8 arrays.

    With numba's compiler switched off (`NUMBA_DISABLE_JIT`) they are the plain ones: lists are
    what uncompiled loops are quick on.
    """
    settings: Any = config
    if settings.DISABLE_JIT:
        return PLAIN
    return Core(
        name="compiled",
        integers=_integers,
        words=_words,
        listed=_listed,
        octets=_octets,
        loaded=_loaded,
        functions=_compile_modules(),
    )
