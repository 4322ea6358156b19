"""Makes what `san-stream demo` carries: a minute of ECG, and kernels trained on another part.

::

    python training/make_demo_data.py mitdb/100 runtime/san_runtime/demo_data

The minute is cut out of the record's own bytes, so its samples are those of the record. The
kernels come from minutes 20 to 25 of the same record, one for each lead, by
``san_training.train_model`` with its defaults but the kernel sizes; the same machine
gives the same model every time.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import wfdb

from san_training import TrainSettings, train_model

RATE = 360
FRAME_BYTES = 3
"""Format 212: two 12-bit samples, one of each lead, in three bytes."""
START_MINUTE = 10
SAMPLES = 60 * RATE
TRAINING_MINUTES = (20, 25)
NAME = "100_1min"
MODEL = "100_kernels.json"
SIZES = (144, 180, 216, 229, 252)
"""Taps tried: 0.4 to 0.7 s, and 229, the size that the SAN paper reports for this database."""


def cut_record(record: Path, folder: Path) -> None:
    """Write ``100_1min.hea``, ``.dat`` and ``.atr``.

    Args:
        record: path of MIT-BIH record 100 without suffix.
        folder: where they go.
    """
    first = START_MINUTE * SAMPLES
    data = record.with_suffix(".dat").read_bytes()
    data = data[first * FRAME_BYTES : (first + SAMPLES) * FRAME_BYTES]
    folder.joinpath(f"{NAME}.dat").write_bytes(data)

    part = wfdb.rdrecord(str(record), sampfrom=first, sampto=first + SAMPLES, physical=False)
    lines = [f"{NAME} {part.n_sig} {RATE} {SAMPLES}"]
    for i, lead in enumerate(part.sig_name):
        samples = part.d_signal[:, i].astype(np.int64)
        checksum = (int(samples.sum()) + 2**15) % 2**16 - 2**15
        gain, baseline, zero = part.adc_gain[i], part.baseline[i], part.adc_zero[i]
        # A baseline other than the ADC's zero has to be said; WFDB's default is the zero.
        offset = "" if baseline == zero else f"({baseline})"
        lines.append(
            f"{NAME}.dat 212 {gain:g}{offset} {part.adc_res[i]} {zero} {samples[0]} {checksum} "
            f"0 {lead}"
        )
    folder.joinpath(f"{NAME}.hea").write_text("\n".join(lines) + "\n", encoding="ascii")

    beats = wfdb.rdann(str(record), "atr", sampfrom=first, sampto=first + SAMPLES)
    wfdb.wrann(
        NAME,
        "atr",
        beats.sample - first,
        symbol=beats.symbol,
        subtype=beats.subtype,
        chan=beats.chan,
        num=beats.num,
        aux_note=beats.aux_note,
        write_dir=str(folder),
    )


def train_kernels(record: Path, folder: Path) -> None:
    """Write the model.

    Args:
        record: path of MIT-BIH record 100 without suffix.
        folder: where it goes.
    """
    torch.set_num_threads(1)  # the order of float sums, and with it the model, stays the same
    begin, end = TRAINING_MINUTES
    settings = TrainSettings(
        sizes=SIZES, start=60.0 * begin, duration=60.0 * (end - begin), device="cpu"
    )
    model = train_model([record], settings=settings)
    model.save(folder / MODEL)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("record", type=Path, help="MIT-BIH record 100, path without suffix")
    parser.add_argument("folder", type=Path, help="folder to write to")
    arguments = parser.parse_args()
    cut_record(arguments.record, arguments.folder)
    train_kernels(arguments.record, arguments.folder)


if __name__ == "__main__":
    main()
