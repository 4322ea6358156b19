"""The wheel holds what the tree holds, and works where the tree is not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
ROOTS = {
    "san_stream": REPOSITORY,
    "san_runtime": REPOSITORY / "runtime",
    "san_training": REPOSITORY / "training",
    "san_export": REPOSITORY / "export",
}
PROJECT_FILES = ["pyproject.toml", "README.md", "LICENSE"]


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command away from the tree; its output, or a failure that shows it."""
    hidden = ("COV", "PYTHON", "PIP_CONSTRAINT")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
    result = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


def tree() -> set[str]:
    """Every file of the four packages, by its path in a wheel."""
    files = (
        path.relative_to(root)
        for package, root in ROOTS.items()
        for path in (root / package).rglob("*")
        if path.is_file()
    )
    return {path.as_posix() for path in files if "__pycache__" not in path.parts}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an sdist, and of the wheel that was built from that sdist."""
    source = tmp_path_factory.mktemp("source")
    for name in PROJECT_FILES:
        shutil.copy(REPOSITORY / name, source)
    for package, root in ROOTS.items():
        target = source / root.relative_to(REPOSITORY) / package
        shutil.copytree(root / package, target, ignore=shutil.ignore_patterns("__pycache__"))
    run(sys.executable, "-m", "build", "--no-isolation", cwd=source)
    return source / "dist"


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    """The only wheel of the build."""
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of a fresh environment that holds the wheel and sees what it depends on."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    variables = {"base": str(folder), "platbase": str(folder)}
    scripts = Path(sysconfig.get_path("scripts", "venv", variables))
    interpreter = scripts / ("python.exe" if os.name == "nt" else "python")
    install = ["install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    run(sys.executable, "-m", "pip", "--python", interpreter, *install, wheel, cwd=folder)
    # The dependencies of this environment, but not its .pth files: those may lead to the tree.
    site_packages = Path(sysconfig.get_path("purelib", "venv", variables))
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return interpreter


def test_wheel_holds_what_the_tree_holds(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    packaged = {name for name in names if ".dist-info/" not in name}
    assert packaged == tree()


def test_wheel_is_pure_and_carries_the_licence(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")
    names = zipfile.ZipFile(wheel).namelist()
    licence = [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]
    assert len(licence) == 1
    text = zipfile.ZipFile(wheel).read(licence[0])
    assert text == (REPOSITORY / "LICENSE").read_bytes()


def test_wheel_carries_types_and_the_demo_with_its_notice(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"{package}/py.typed" for package in ROOTS} <= names
    demo = {Path(name).suffix for name in names if name.startswith("san_runtime/demo_data/")}
    assert {".hea", ".dat", ".json"} <= demo
    assert any("NOTICE" in name for name in names if name.startswith("san_runtime/demo_data/"))


def test_sdist_holds_what_the_tree_holds(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    expected = {
        (root.relative_to(REPOSITORY) / name).as_posix()
        for package, root in ROOTS.items()
        for name in tree()
        if name.startswith(package + "/")
    }
    assert expected <= names
    assert set(PROJECT_FILES) <= names


def test_every_module_imports_from_the_wheel(python: Path, tmp_path: Path) -> None:
    code = (
        "import importlib, pathlib, sys\n"
        "for name in sys.argv[2:]:\n"
        "    module = importlib.import_module(name)\n"
        "    assert pathlib.Path(module.__file__).is_relative_to(sys.argv[1]), module.__file__\n"
        "print(len(sys.argv[2:]))\n"
    )
    modules = sorted(
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in tree()
        if name.endswith(".py") and not name.endswith("__main__.py")
    )
    output = run(python, "-c", code, python.parents[1], *modules, cwd=tmp_path)
    assert output.split()[-1] == str(len(modules))


def test_command_line_and_its_commands_start_from_the_wheel(python: Path, tmp_path: Path) -> None:
    script = python.with_name("san-stream.exe" if os.name == "nt" else "san-stream")
    usage = run(script, "--help", cwd=tmp_path)
    plugins = ("train", "reproduce", "sweep", "export")
    for command in ("demo", *plugins, "encode", "decode", "info", "verify"):
        assert command in usage
    for command in plugins:
        assert "Usage" in run(script, command, "--help", cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []
