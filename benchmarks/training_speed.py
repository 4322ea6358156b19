"""Training a database of the paper's Table I: 5 activations x 250 kernel sizes x 30 epochs.

`python benchmarks/training_speed.py [RECORD]`; the record needs 12,000 samples. The plain torch
form is measured at a few sizes and scaled to all by their mean.
"""

from __future__ import annotations

import sys
from statistics import fmean
from time import perf_counter, process_time

from _machine import BUNDLED_RECORD, describe

from san_training.activations import ACTIVATIONS
from san_training.batched_fit import Job
from san_training.fitting import FitSettings, fit
from san_training.many_fits import cores, fit_all
from san_training.paper import paper_windows

SIZES = range(1, 251)
TORCH_SIZES = (1, 25, 75, 125, 175, 225)


def main() -> None:
    """Measure and print."""
    record = sys.argv[1] if len(sys.argv) > 1 else BUNDLED_RECORD
    training, validation, _ = paper_windows(record)
    print(describe("numpy", "numba", "torch"))
    print(f"{record}: seconds for {len(SIZES)} sizes of 30 epochs, {cores()} threads")
    print("activation     compiled: wall   cpu    torch: cpu")
    sums = [0.0, 0.0, 0.0]
    for name in ACTIVATIONS:
        how = [FitSettings((m,), activation=name, device="cpu") for m in SIZES]
        jobs = [Job(training, validation, each) for each in how]
        fit_all(jobs[:1], callback=lambda *_: None)  # compiles, or loads what is compiled
        start = perf_counter(), process_time()
        fit_all(jobs, callback=lambda *_: None)
        row = [perf_counter() - start[0], process_time() - start[1]]
        single = []
        for m in TORCH_SIZES:
            begin = process_time()
            fit(training, validation, how[m - 1], callback=lambda *_: None)
            single.append(process_time() - begin)
        row.append(fmean(single) * len(SIZES))
        sums = [total + value for total, value in zip(sums, row, strict=True)]
        print(f"{name:<14} {row[0]:>14.2f} {row[1]:>6.2f} {row[2]:>13.0f}")
    print(f"{'all':<14} {sums[0]:>14.2f} {sums[1]:>6.2f} {sums[2]:>13.0f}")


if __name__ == "__main__":
    main()
