"""What importing the packages loads and costs. Each case runs in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
ROOTS = [REPOSITORY, REPOSITORY / "runtime", REPOSITORY / "training", REPOSITORY / "export"]
HEAVY = ["numba", "llvmlite", "torch", "onnx", "onnxruntime", "serial", "wfdb", "click", "rich"]
OWN_LIMIT = 70
"""Modules of this package that its import may load."""
LIBRARY_LIMIT = 30
"""Modules of the standard library that it may load and numpy has not."""


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a new process that sees the tree, without coverage's own imports."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
    environment["PYTHONPATH"] = os.pathsep.join(map(str, ROOTS))
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_san_stream_loads_numpy_and_the_standard_library_only() -> None:
    result = run(
        "import sys, numpy\n"
        "before = set(sys.modules)\n"
        "import san_stream\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(*sorted(new - sys.stdlib_module_names - {'numpy'}))\n"
        f"print(*[name for name in {HEAVY} if name in sys.modules])\n"
    )
    assert result.stderr == ""
    assert result.stdout.splitlines() == ["san_stream", ""]


def test_import_of_san_stream_loads_few_modules() -> None:
    # A count, not a time (benchmarks/startup.py): other work on the machine cannot change it.
    result = run(
        "import sys, numpy\n"
        "before = set(sys.modules)\n"
        "import san_stream\n"
        "new = [name for name in sys.modules if name not in before]\n"
        "print(len(new), sum(name.startswith('san_stream') for name in new))\n"
    )
    loaded, own = map(int, result.stdout.split())
    assert own <= OWN_LIMIT
    assert loaded - own <= LIBRARY_LIMIT


@pytest.mark.parametrize("package", ["san_runtime", "san_training", "san_export"])
def test_packages_import_none_that_they_must_not_know(package: str) -> None:
    stranger = {"san_runtime": ["san_training", "san_export", "torch", "onnx"]}
    result = run(
        f"import sys, {package}\n"
        f"strangers = {stranger.get(package, ['san_runtime', 'serial'])}\n"
        "print(*[name for name in strangers if name in sys.modules])\n"
    )
    assert result.stderr == ""
    assert result.stdout.strip() == ""


def test_command_line_without_its_extra_says_what_to_install() -> None:
    result = run(
        "import sys\n"
        f"for name in {HEAVY}: sys.modules[name] = None\n"
        "from san_runtime.cli import main\n"
        "sys.exit(main(['--help']))\n"
    )
    assert result.returncode == 2
    assert "san-stream[runtime]" in result.stderr
    assert len(result.stderr.splitlines()) == 1
