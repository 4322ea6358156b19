"""pyproject.toml, constraints.txt and the tree agree with each other."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import san_stream

REPOSITORY = Path(__file__).parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
TOOL = PROJECT["tool"]
EXTRAS = PROJECT["project"]["optional-dependencies"]
GPU_EXTRAS = {"onnx-gpu", "cuda"}


def pins() -> dict[str, str]:
    """Package to version, from constraints.txt."""
    text = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    pairs = [line.split("==") for line in lines]
    return {canonicalize_name(name): version for name, version in pairs}


def requirements(extra: str) -> list[Requirement]:
    """Foreign requirements of an extra, its own extras spelled out."""
    found = []
    for text in EXTRAS[extra]:
        requirement = Requirement(text)
        if requirement.name == PROJECT["project"]["name"]:
            found += [r for other in sorted(requirement.extras) for r in requirements(other)]
        else:
            found.append(requirement)
    return found


def test_source_roots_are_named_alike_everywhere() -> None:
    roots = TOOL["setuptools"]["packages"]["find"]["where"]
    assert roots == [".", "runtime", "training", "export"]
    assert TOOL["pytest"]["ini_options"]["pythonpath"] == roots
    assert TOOL["ruff"]["src"] == roots
    assert TOOL["mypy"]["mypy_path"] == roots


def test_each_source_root_holds_one_package_and_every_tool_knows_it() -> None:
    roots = TOOL["setuptools"]["packages"]["find"]["where"]
    folders = [path.parent for root in roots for path in REPOSITORY.glob(f"{root}/*/__init__.py")]
    packages = [folder.name for folder in folders]
    assert packages == ["san_stream", "san_runtime", "san_training", "san_export"]
    assert TOOL["coverage"]["run"]["source_pkgs"] == packages
    assert TOOL["importlinter"]["root_packages"] == packages
    assert TOOL["mypy"]["files"] == [f.relative_to(REPOSITORY).as_posix() for f in folders]


def test_the_base_needs_numpy_only() -> None:
    names = [Requirement(text).name for text in PROJECT["project"]["dependencies"]]
    assert names == ["numpy"]


def test_all_is_every_extra_but_the_gpu_ones() -> None:
    (requirement,) = [Requirement(text) for text in EXTRAS["all"]]
    assert requirement.extras == set(EXTRAS) - GPU_EXTRAS - {"all", "dev"}


@pytest.mark.parametrize("extra", ["runtime", "physionet", "dev"])
def test_what_make_installs_is_pinned_within_its_range(extra: str) -> None:
    pinned = pins()
    for requirement in requirements(extra):
        name = canonicalize_name(requirement.name)
        assert name in pinned, f"{name} is not in constraints.txt"
        assert requirement.specifier.contains(pinned[name]), f"{name}=={pinned[name]}"


@pytest.mark.parametrize("extra", ["runtime", "physionet"])
def test_the_demo_needs_no_torch(extra: str) -> None:
    assert "torch" not in {requirement.name for requirement in requirements(extra)}


def test_pins_name_no_build_for_one_machine() -> None:
    assert [name for name, version in pins().items() if "+" in version] == []
    assert pins()["torch"] == "2.13.0"


def test_the_package_knows_its_version() -> None:
    assert san_stream.__version__ == PROJECT["project"]["version"]


def test_the_changelog_knows_the_version() -> None:
    text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\n## {PROJECT['project']['version']}" in text
