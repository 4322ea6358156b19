"""Peers that are programs: FLAC and WavPack, at their strongest. They frame their own blocks."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from codec import Codec, Decoded, pack_parameter, unavailable, unpack_parameter
from quantised import lattice, unlattice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codec import Mode
    from datasets import Signal

FLAC_BLOCK: Final = 4096
WAVPACK_LEAST: Final = 128
MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder in memory, where there is one
INT16: Final = np.iinfo(np.int16)

RAW: Final = ("--force-raw-format", "--endian=little", "--sign=signed")
FLAC: Final = (
    *("flac", "-8", "-e", "-p", "--lax", "--silent", "--no-padding", "--no-seektable", "-f"),
    *("-r", "8", *RAW, "--channels=1", "--bps=16", "--sample-rate=360", "-o", "{out}", "{in}"),
)
UNFLAC: Final = ("flac", "-d", "--silent", *RAW, "-f", "-o", "{out}", "{in}")
WAVPACK: Final = (
    *("wavpack", "-hh", "-x4", "-q", "-y", "--raw-pcm=360,16s,1,le", "{in}", "-o", "{out}"),
)
UNWAVPACK: Final = ("wvunpack", "-q", "-y", "--raw", "{in}", "-o", "{out}")


def _convert(command: Sequence[str], data: bytes, suffixes: tuple[str, str]) -> bytes:
    """What a program makes of a file with this content."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        names = {"in": f"{folder}/in{suffixes[0]}", "out": f"{folder}/out{suffixes[1]}"}
        Path(names["in"]).write_bytes(data)
        words = [names.get(word.strip("{}"), word) for word in command]
        subprocess.run(words, check=True, capture_output=True)
        return Path(names["out"]).read_bytes()


def _version(command: str) -> str:
    shown = subprocess.run([command, "--version"], check=True, capture_output=True, text=True)
    return shown.stdout.splitlines()[0].strip()


def _raw(signal: Signal, error: int) -> bytes:
    x = lattice(signal.samples, error)
    if x.min() < INT16.min or x.max() > INT16.max:
        raise ValueError("samples do not fit 16 bits")
    return x.astype("<i2").tobytes()


def _flac(block: int) -> list[str]:
    return [*FLAC, f"--blocksize={block or FLAC_BLOCK}"]


def _wavpack(block: int) -> list[str]:
    return [*WAVPACK, f"--blocksize={max(block, WAVPACK_LEAST)}"] if block else [*WAVPACK]


def program(name: str) -> Codec:
    """FLAC or WavPack, exact, or within ±e by rounding to the lattice of 2e + 1 first.

    Args:
        name: ``"FLAC -8"`` or ``"WavPack -hh -x4"``.
    """
    is_flac = name.startswith("FLAC")
    modes: tuple[Mode, ...] = ("lossless", "bound") if is_flac else ("lossless",)
    for command in ("flac",) if is_flac else ("wavpack", "wvunpack"):
        if shutil.which(command) is None:
            return unavailable(name, modes, f"program {command} is not installed")
    suffix = ".flac" if is_flac else ".wv"

    def encode(signal: Signal, mode: Mode, parameter: float, block: int) -> bytes:
        head = pack_parameter(mode, parameter)
        command = _flac(block) if is_flac else _wavpack(block)
        return head + _convert(command, _raw(signal, int(parameter)), (".raw", suffix))

    def decode(data: bytes, mode: Mode, _count: int, _block: int) -> Decoded:
        error, data = unpack_parameter(mode, data)
        raw = _convert(UNFLAC if is_flac else UNWAVPACK, data, (suffix, ".raw"))
        x = np.frombuffer(raw, "<i2").astype(np.int64)
        return Decoded(unlattice(x, int(error)), 8 * len(data))

    def delay(signal: Signal, _mode: Mode, _parameter: float, block: int) -> int:
        return block or (FLAC_BLOCK if is_flac else len(signal.samples))

    return Codec(name, modes, encode, decode, delay, _version("flac" if is_flac else "wavpack"))
