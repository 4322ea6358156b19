"""The recordings by name: integers of one lead, read the same way for every codec."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

TUNE: Final = (100, 101, 102, 103, 104, 106, 108, 109, 111, 112, 114, 115, 116)
"""Records of MIT-BIH that settings may be chosen on."""
REPORT: Final = (
    *(118, 121, 122, 123, 200, 201, 202, 205, 207, 209, 210, 213),
    *(215, 217, 219, 220, 221, 223, 228, 230, 231, 233, 234),
)
"""Records of MIT-BIH that figures are reported on."""

SETS: Final[dict[str, tuple[str, ...]]] = {
    "tune": tuple(f"mitdb/{number}" for number in TUNE),
    "report": tuple(f"mitdb/{number}" for number in REPORT),
    "svdb": ("svdb/800",),
    "edb": ("edb/e0103",),
    "macecgdb": ("macecgdb/test01_00s", "macecgdb/test10_00w", "macecgdb/test19_00j"),
    "mimicdb": ("mimicdb/03700181",),
    "bonn": ("bonn/Z", "bonn/O", "bonn/N", "bonn/F", "bonn/S"),
    "eegmmidb": ("eegmmidb/S001R02", "eegmmidb/S001R04"),
}

BONN_RATE: Final = 173.61
BONN_BITS: Final = 12
BONN_SEGMENTS: Final = 10
"""Segments of 23.6 s of a set, joined to one signal."""
DEFAULT_BITS: Final = 16


@dataclass(frozen=True, slots=True)
class Signal:
    """One lead of a recording.

    Attributes:
        record: set and record, e.g. ``"mitdb/118"``. lead: its index, from 0.
        samples: ADC values, int64 ``[n]``.
        rate: Hz. name, unit, gain, baseline, bits: as in `san_stream.Lead`.
        before: the leads before it that have the same rate, in their order.
    """

    record: str
    lead: int
    samples: NDArray[np.int64]
    rate: float
    name: str
    unit: str
    gain: float
    baseline: int
    bits: int
    before: tuple[Signal, ...] = ()

    @property
    def key(self) -> str:
        """Record and lead in one word."""
        return f"{self.record}:{self.lead}"

    def cut(self, count: int) -> Signal:
        """The same, at most so many samples long."""
        return replace(
            self,
            samples=np.ascontiguousarray(self.samples[:count], np.int64),
            before=tuple(lead.cut(count) for lead in self.before),
        )


def expand(names: str) -> list[str]:
    """Records of a list of sets and records, separated by commas."""
    out: list[str] = []
    for name in names.split(","):
        out += SETS.get(name, (name,))
    return out


def load(root: Path, record: str, minutes: float, leads: tuple[int, ...] | None) -> list[Signal]:
    """The leads of a record, from its start.

    Args:
        root: folder of the databases.
        record: ``"mitdb/118"``.
        minutes: at most so much.
        leads: indices; those that the record lacks are left out. None: all.
    """
    database = record.split("/", maxsplit=1)[0]
    if database == "bonn":
        signals = [_bonn(root, record)]
    elif database == "eegmmidb":
        signals = _edf(root, record)
    else:
        signals = _wfdb(root, record, minutes)
    chosen = []
    for place, signal in enumerate(signals):
        if leads is None or signal.lead in leads:
            before = tuple(lead for lead in signals[:place] if lead.rate == signal.rate)
            whole = replace(signal, before=before)
            chosen.append(whole.cut(int(signal.rate * 60 * minutes)))
    return chosen


def _wfdb(root: Path, record: str, minutes: float) -> list[Signal]:
    import wfdb

    path = str(root / record)
    header = wfdb.rdheader(path)
    end = min(header.sig_len, int(header.fs * 60 * minutes))
    read: Any = wfdb.rdrecord(path, sampto=end, physical=False, smooth_frames=False)
    return [
        Signal(
            record,
            lead,
            np.asarray(samples, np.int64),
            header.fs * read.samps_per_frame[lead],
            read.sig_name[lead],
            read.units[lead],
            read.adc_gain[lead],
            read.baseline[lead],
            read.adc_res[lead] or DEFAULT_BITS,
        )
        for lead, samples in enumerate(read.e_d_signal)
    ]


def _bonn(root: Path, record: str) -> Signal:
    database, name = record.split("/")
    with np.load(root / database / "bonn_int16.npz") as arrays:
        samples = arrays[name][:BONN_SEGMENTS].ravel().astype(np.int64)
    return Signal(record, 0, samples, BONN_RATE, "EEG", "uV", 1.0, 0, BONN_BITS)


def _edf(root: Path, record: str) -> list[Signal]:
    import edfio

    edf = edfio.read_edf(root / f"{record}.edf")
    out = []
    for lead, signal in enumerate(edf.signals):
        low, high = signal.digital_range
        physical = signal.physical_range
        gain = (high - low) / (physical.max - physical.min)
        out.append(
            Signal(
                record,
                lead,
                signal.digital.astype(np.int64),
                signal.sampling_frequency,
                signal.label.strip("."),
                signal.physical_dimension,
                gain,
                round(high - gain * physical.max),
                int(high - low).bit_length(),
            )
        )
    return out
