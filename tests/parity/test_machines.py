"""The same bytes from code that was compiled for two kinds of processor."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import hashlib
from fractions import Fraction
import numpy as np
from san_runtime import Encoder, compiled_core
from san_stream import Bounded, Decoder, Lead, Lossless, Quality, StreamInfo

rng = np.random.default_rng(1)
t = np.arange(9000)
beat = 400 * np.exp(-(((t % 290 - 90) / 6.0) ** 2))
x = np.rint(np.stack([beat, 90 * np.sin(t / 50) - beat / 2], 1) + rng.normal(0, 4, (9000, 2)))
info = StreamInfo(Fraction(360), tuple(Lead(name, bits=12) for name in "ab"))
for profile in (
    *(Lossless(preset) for preset in ("tiny", "fast", "lean", "max")),
    Bounded(1), Bounded(9), Quality(prdn=9), Quality(bps=0.5),
):
    encoder = Encoder(info, profile)
    data = b"".join(encoder.push(x.astype(np.int32)) + encoder.close())
    rows = [part.digital for part in Decoder(core=compiled_core()).push(data)]
    print(hashlib.sha256(data + np.concatenate(rows).tobytes()).hexdigest())
"""


def digests(cache: Path, **settings: str) -> list[str]:
    """What the program prints, compiled afresh under these settings of numba."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)} | settings
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.mark.long
def test_two_processors(tmp_path: Path) -> None:
    host = digests(tmp_path / "host")
    assert len(set(host)) == 8
    generic = digests(tmp_path / "generic", NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="")
    assert generic == host
