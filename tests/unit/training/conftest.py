"""Records made for these tests: pulses over noise, in files that the WFDB package writes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import wfdb

from san_training.paper import paper_split
from san_training.sweep.signals import Signal

ROOT = Path(__file__).parents[3]
RATE = 100
PULSE = np.round(300 * (np.hanning(31) - 0.4 * np.hanning(61)[15:46]))


def pulses(count: int, seed: int = 0, offset: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.normal(scale=4, size=count) + offset
    for p in range(10, count - len(PULSE), 70):
        at = p + int(rng.integers(0, 20))
        piece = x[at : at + len(PULSE)]
        piece += PULSE[: len(piece)]
    return np.round(x).astype(np.int64)


def write(folder: Path, name: str, digital: np.ndarray, **options) -> Path:
    leads = digital.shape[1]
    wfdb.wrsamp(
        name,
        **{
            "fs": RATE,
            "units": ["mV"] * leads,
            "sig_name": ["II", "V1", "V5"][:leads],
            "d_signal": digital,
            "fmt": ["16"] * leads,
            "adc_gain": [200.0] * leads,
            "baseline": [0] * leads,
            "write_dir": str(folder),
            **options,
        },
    )
    return folder / name


@pytest.fixture(autouse=True)
def _one_thread():
    """Networks as small as these wait for threads longer than they compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def make_record(tmp_path: Path) -> Callable[..., Path]:
    """``make_record("a", digital, fs=...)`` writes a record and returns its path."""
    return lambda name, digital, **options: write(tmp_path, name, digital, **options)


@pytest.fixture
def one_lead(make_record) -> Path:
    """70 s of one lead."""
    return make_record("pulses", pulses(7000, 1)[:, None])


@pytest.fixture
def two_leads(make_record) -> Path:
    """24 s of two leads: one of 500 ADC units offset, one upside down."""
    return make_record("pulses", np.stack([pulses(2400, 1, 500), -pulses(2400, 2)], axis=1))


@pytest.fixture
def noise() -> Callable[..., Signal]:
    """``noise("a", seed, length=n)`` is a signal of noise: 12 windows of 100, or n, samples."""

    def make(name: str, seed: int = 0, length: int = 100) -> Signal:
        return Signal(
            name, paper_split(np.random.default_rng(seed).normal(size=(12, length)), name)
        )

    return make


@pytest.fixture
def source_environment() -> dict[str, str]:
    """Of a process that imports these sources."""
    folders = [ROOT, *(ROOT / part for part in ("runtime", "training", "export"))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))}
