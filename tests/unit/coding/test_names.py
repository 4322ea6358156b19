"""The coding functions form one set: names are their own in the whole package."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from san_stream.coding import core, range_coder
from san_stream.coding.core import MODULES, PLAIN, coding_modules, functions_of, plain_functions

FOLDER = Path(core.__file__).parent


def defined(module: str) -> list[str]:
    """Functions that the text of a module defines at its top."""
    tree = ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8"))
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]


def test_no_two_modules_define_a_function_of_one_name() -> None:
    names = Counter(name for module in MODULES for name in defined(module))
    assert [name for name, count in names.items() if count > 1] == []
    assert set(names) == set(PLAIN.functions)


def test_a_module_stands_behind_those_that_it_calls() -> None:
    seen: set[str] = set()
    for module in coding_modules():
        own = functions_of(module)
        called = {
            value.__module__.rpartition(".")[2]
            for value in vars(module).values()
            if callable(value) and getattr(value, "__name__", "") in PLAIN.functions
        }
        name = module.__name__.rpartition(".")[2]
        assert called - {name} <= seen, name
        assert own
        seen.add(name)


def test_two_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    modules = [*coding_modules(), range_coder]
    monkeypatch.setattr(core, "coding_modules", lambda: modules)
    with pytest.raises(RuntimeError, match=r"coding functions of one name: .*start_encoder"):
        plain_functions()


def test_an_unknown_function_is_named() -> None:
    with pytest.raises(AttributeError, match="no coding function sing"):
        _ = PLAIN.sing
