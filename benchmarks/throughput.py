"""Throughput of the encoder beside the same rule in scipy and torch, in one run.

All of them find the same spikes of the same signal (checked here): lead 1 of a record,
one kernel. Each round runs every form once, in turn; the medians of CPU time are reported
as samples a second and as ratios to the engine.

    python benchmarks/throughput.py [RECORD] [--samples N] [--rounds N]
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import TYPE_CHECKING

import numpy as np
import torch
from _machine import BUNDLED_RECORD, describe
from scipy.signal import find_peaks, oaconvolve
from torch.nn.functional import conv1d

from san_runtime.compiled import compiled_core
from san_runtime.encoder import Encoder
from san_runtime.engine import encode_run
from san_runtime.sources import open_source
from san_stream import Decoder, Kernels, KernelSet, Lossless, Spikes, StreamInfo
from san_stream.kernels import Kernel

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

TAPS = 229
MED = 226
WINDOW = 1000


def beat_kernel(x: NDArray[np.int32]) -> Kernel:
    """A zero-sum kernel: the piece of signal around its largest deflection."""
    at = int(np.argmax(np.abs(x[TAPS:-TAPS] - np.median(x)))) + TAPS
    piece = x[at - TAPS // 2 : at + TAPS // 2 + 1].astype(np.float64)
    piece -= piece.mean()
    taps = np.round(piece * (1024 / np.abs(piece).max())).astype(int)
    taps[0] -= taps.sum()
    return Kernel(tuple(taps.tolist()), MED)


def candidates(s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The sign rule of Algorithm 3 with its borders."""
    right = np.append(s[1:] > s[:-1], False)
    left = np.append(True, s[1:] <= s[:-1])
    negative = ~(s > 0)
    return (right == left) & (left == negative)


def scipy_form(x: NDArray[np.float64], taps: NDArray[np.float64]) -> NDArray[np.int64]:
    """FFT convolution, then scipy's peak distance rule on the candidates' magnitudes."""
    centre = (TAPS - 1) // 2
    padded = np.pad(x, (centre, TAPS - 1 - centre), mode="edge")
    s = np.round(oaconvolve(padded, taps[::-1], mode="valid"))
    height = np.where(candidates(s), np.abs(s), 0.0)
    # find_peaks drops plateaus and ends: two zeros between neighbours keep each its own peak
    spread = np.zeros(2 * len(height) + 1)
    spread[1::2] = height
    peaks, _ = find_peaks(spread, height=0.5, distance=2 * (MED + 1))
    return peaks // 2


def torch_form(x: torch.Tensor, taps: torch.Tensor) -> list[int]:
    """The paper's Algorithm 3 in torch: sort, then a loop that marks neighbours."""
    centre = (TAPS - 1) // 2
    padded = torch.cat((x[:1].expand(centre), x, x[-1:].expand(TAPS - 1 - centre)))
    s = conv1d(padded[None, None], taps[None, None])[0, 0]
    rising = s[1:] > s[:-1]
    right = torch.cat((rising, torch.zeros(1, dtype=torch.bool)))
    left = torch.cat((torch.ones(1, dtype=torch.bool), ~rising))
    negative = ~(s > 0)
    positions = torch.nonzero((right == left) & (left == negative))[:, 0]
    order = torch.argsort(s[positions].abs(), descending=True, stable=True)
    positions = positions[order]
    dropped = torch.zeros(len(positions), dtype=torch.bool)
    for i in range(len(positions)):
        if not dropped[i]:
            near = (positions - positions[i]).abs() <= MED
            dropped |= near
            dropped[i] = False
    return sorted(positions[~dropped].tolist())


def torch_windows(x: torch.Tensor, taps: torch.Tensor) -> list[int]:
    """The same in windows of 1,000 samples, as the paper trains (other spikes at borders)."""
    out = []
    for start in range(0, len(x), WINDOW):
        out += [start + p for p in torch_form(x[start : start + WINDOW], taps)]
    return out


def encode_all(samples: NDArray[np.int32], info: StreamInfo, profile: object) -> bytes:
    """A whole file through the public encoder."""
    encoder = Encoder(info, profile, pack=Encoder.file_pack(info))
    out = b"".join(encoder.push(samples))
    return out + b"".join(encoder.close())


def main() -> None:
    """Run and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("record", nargs="?", default=BUNDLED_RECORD)
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)

    with open_source(options.record) as source:
        info = source.info
        rows = [chunk.samples for chunk in source if hasattr(chunk, "samples")]
    samples = np.concatenate(rows)[: options.samples, :1]
    info = StreamInfo(info.rate, info.leads[:1])
    x = np.ascontiguousarray(samples[:, 0])
    kernel = beat_kernel(x)
    group = KernelSet((kernel,), scale=10, step=10)
    model = Kernels((group,), info.rate, info.leads[0].unit)
    taps = np.array(kernel.taps, np.float64)
    x64, xt, wt = x.astype(np.float64), torch.tensor(x.astype(np.float64)), torch.tensor(taps)
    files = {p.name: encode_all(samples, info, p) for p in (Lossless(), Spikes(model))}

    forms: dict[str, Callable[[], object]] = {
        "engine, one run (numba)": lambda: encode_run(x, group),
        "encoder, spikes profile": lambda: encode_all(samples, info, Spikes(model)),
        "encoder, lossless profile": lambda: encode_all(samples, info, Lossless()),
        "decoder, spikes profile": lambda: Decoder(compiled_core()).push(files["spikes"]),
        "decoder, lossless profile": lambda: Decoder(compiled_core()).push(files["lossless"]),
        "decoder, lossless, plain Python": lambda: Decoder().push(files["lossless"]),
        "scipy: oaconvolve + find_peaks": lambda: scipy_form(x64, taps),
        "torch: the paper's rule, windows of 1000": lambda: torch_windows(xt, wt),
        "torch: the paper's rule, whole signal": lambda: torch_form(xt, wt),
    }
    expected = set(encode_run(x, group)[0][0].tolist())
    for name, found in (
        ("scipy", {int(p) for p in scipy_form(x64, taps)}),
        ("torch", set(torch_form(xt, wt))),
    ):
        print(
            f"spikes: engine {len(expected)}, {name} {len(found)}, "
            f"differing {len(expected ^ found)}"
        )
    times: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(options.rounds):
        for name, form in forms.items():
            begin = time.process_time()
            form()
            times[name].append(time.process_time() - begin)
    fastest = statistics.median(times["engine, one run (numba)"])
    print(
        f"\n{len(x):,} samples, {TAPS} taps, med {MED}, {options.rounds} rounds, "
        "medians of CPU time"
    )
    print(describe("numpy", "numba", "scipy", "torch"))
    print("\n| form | Msamples/s | time against the engine |\n| --- | --- | --- |")
    for name, measured in times.items():
        middle = statistics.median(measured)
        print(f"| {name} | {len(x) / middle / 1e6:.2f} | {middle / fastest:.1f} |")


if __name__ == "__main__":
    main()
