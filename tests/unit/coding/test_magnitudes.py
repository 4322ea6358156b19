"""Every intermediate of the predictive coder is below 2^53, whatever the samples.

The plain functions are run with each sum, product and shift looked at, so that doubles
(JavaScript) and 64-bit integers (C) are known to hold them.
"""

from __future__ import annotations

import ast
import inspect
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest

import san_runtime.vectors
from san_runtime.compiled import compiled_core
from san_stream.coding import vectors
from san_stream.coding.core import PLAIN, Core, coding_modules, functions_of
from san_stream.profiles import Preset
from san_stream.types import INT32_MAX, INT32_MIN

LIMIT = 2**53
PRESETS: tuple[Preset, ...] = get_args(Preset)


class _Watch(ast.NodeTransformer):
    """Hands the result of each operator to `_seen`."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        return ast.Call(ast.Name("_seen", ast.Load()), [node], [])

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        self.generic_visit(node)
        old = ast.parse(ast.unparse(node.target), mode="eval").body
        new = ast.Call(ast.Name("_seen", ast.Load()), [ast.BinOp(old, node.op, node.value)], [])
        return ast.Assign([node.target], new)


@pytest.fixture(scope="module")
def watched() -> tuple[Core, list[int]]:
    """The coding functions, and a list whose one entry is the largest magnitude so far."""
    largest = [0]

    def seen(value: int) -> int:
        largest[0] = max(largest[0], abs(value))
        return value

    done: dict[str, Any] = {}
    for module in coding_modules():
        # the loops that compiled code has: list operations hide their intermediates
        source = san_runtime.vectors if module is vectors else module
        tree = _Watch().visit(ast.parse(inspect.getsource(source)))
        tree.body = [part for part in tree.body if isinstance(part, ast.FunctionDef)]
        for function in tree.body:
            function.returns = None
            for argument in function.args.args:
                argument.annotation = None
        scope = {**vars(source), **done, "_seen": seen, "_U": int}
        exec(compile(ast.fix_missing_locations(tree), module.__name__, "exec"), scope)
        done |= {name: scope[name] for name in functions_of(module)}
    return replace(PLAIN, name="watched", functions=done), largest


def _signals() -> dict[str, np.ndarray]:
    t, rng = np.arange(200), np.random.default_rng(5)
    return {
        "noise": rng.integers(INT32_MIN, INT32_MAX + 1, len(t)),
        "alternation": np.where(t % 2, INT32_MAX, INT32_MIN),
        "square": np.where(t // 30 % 2, INT32_MAX, INT32_MIN),
        "quiet, then a step": np.where(t > 130, INT32_MAX, INT32_MIN + t % 2),
    }


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", _signals())
def test_intermediates_fit_in_a_double(
    stream: Any, watched: tuple[Core, list[int]], preset: Preset, name: str
) -> None:
    core, largest = watched
    signal = _signals()[name]
    signal = np.stack([signal, signal[::-1]], 1)
    for bound in (0, 2):
        data, shown = stream(preset, [bound] * 2, core).encode(signal)
        assert 2**40 < largest[0] < LIMIT
        assert data == stream(preset, [bound] * 2, compiled_core()).encode(signal)[0]
        assert np.abs(shown - signal).max() <= bound
