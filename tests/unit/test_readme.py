"""The README's code is run as it stands: Python blocks in order, commands with their output."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import san_runtime
from san_stream import open as open_san

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DEMO_DATA = Path(san_runtime.__file__).parent / "demo_data"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """The bundled minute, under the name that the README uses."""
    folder = tmp_path / "mitdb"
    folder.mkdir()
    for suffix in (".dat", ".atr"):
        shutil.copy(DEMO_DATA / f"100_1min{suffix}", folder / f"100{suffix}")
    header = (DEMO_DATA / "100_1min.hea").read_text(encoding="utf-8")
    (folder / "100.hea").write_text(header.replace("100_1min", "100"), encoding="utf-8")
    return folder / "100"


@pytest.mark.usefixtures("record")
def test_the_python_blocks_run_in_order(tmp_path: Path) -> None:
    code = blocks("python")
    assert len(code) == 3
    for block in code:
        done = subprocess.run(
            [sys.executable, "-c", block],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert "125 samples missing at 2500: disconnected" in done.stdout
    with open_san(tmp_path / "ecg.san") as file:
        assert sum(len(signal) for signal in file) == 2500


def run(arguments: list[str], folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "san_runtime", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.usefixtures("record")
def test_the_commands_from_record_to_code_and_back(tmp_path: Path) -> None:
    """All but fetching and training, for which the bundled model stands."""
    shutil.copy(DEMO_DATA / "100_kernels.json", tmp_path / "model.json")
    (block,) = (text for text in blocks("sh") if "san-stream train" in text)
    lines = [shlex.split(line, comments=True) for line in block.splitlines()]
    commands = [line[1:] for line in lines if line[0] == "san-stream" and line[1] != "train"]
    assert [command[0] for command in commands] == ["encode", "info", "decode", "compare"]
    for command in commands:
        output = run(command, tmp_path)
    assert "PRDN" in output
    assert (tmp_path / "100_decoded.hea").exists()


def test_every_link_leads_to_a_file() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert targets
    for target in targets:
        assert (ROOT / target).exists(), target
