"""What of an ECG survives, beside PRDN: R peaks, QRS and ST windows, error above 0.5 Hz.

    python benchmarks/compression/clinical.py --data DIR --records report --out DIR

For each PRDN the first codec is tuned to it, then the second to the same bits, and both
are looked at with the same eyes: a detector of the field and the annotations of the
record. Needs records with beat annotations (`mitdb`, `svdb`).
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from dataclasses import asdict, dataclass
from math import log, nan, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from codec import STEPS_PER_OCTAVE, step_of
from datasets import expand, load
from registry import build
from scipy.signal import butter, sosfiltfilt
from tables import markdown, number

from san_stream import metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from codec import Codec
    from datasets import Signal
    from numpy.typing import NDArray

BEATS: Final = frozenset("NLRBAaJSVrFejnE/fQ?")
"""Annotation symbols of beats, as WFDB has them."""
MATCH_SECONDS: Final = 0.15
"""Tolerance of a detected beat, ANSI/AAMI EC57."""
QRS: Final = (-0.05, 0.05)
"""Seconds around an annotated beat."""
ST: Final = (0.08, 0.2)
HIGH_PASS: Final = 0.5
"""Hz; below is baseline wander."""
ORDER: Final = 2
LEAST_NUMBER, LARGEST_NUMBER = -4 * STEPS_PER_OCTAVE, 12 * STEPS_PER_OCTAVE


@dataclass(frozen=True, slots=True)
class View:
    """One decoded lead beside its original.

    Attributes:
        bps, prdn: rate and distortion. step: of the quantiser, ADC units.
        sensitivity, precision: of detected against annotated beats, %.
        sensitivity_before, precision_before: the same on the original.
        shift, shift_spread: mean and standard deviation of detected R peaks, decoded less
            original, ms.
        qrs, st: PRDN of the samples in these windows alone, %.
        high: PRDN above 0.5 Hz, %.
        qrs_error, st_error: root of the mean square in these windows, µV.
    """

    bps: float
    prdn: float
    step: float
    sensitivity: float
    precision: float
    sensitivity_before: float
    precision_before: float
    shift: float
    shift_spread: float
    qrs: float
    st: float
    high: float
    qrs_error: float
    st_error: float


def match(
    found: NDArray[np.int64], true: NDArray[np.int64], tolerance: int
) -> list[tuple[int, int]]:
    """Pairs of indices of events not further apart than so much, each used once.

    Both are in rising order; the nearest free partner is taken, from the left.
    """
    pairs: list[tuple[int, int]] = []
    i = j = 0
    while i < len(found) and j < len(true):
        apart = int(found[i]) - int(true[j])
        if apart < -tolerance:
            i += 1
        elif apart > tolerance:
            j += 1
        elif i + 1 < len(found) and abs(int(found[i + 1]) - int(true[j])) < abs(apart):
            i += 1
        else:
            pairs.append((i, j))
            i, j = i + 1, j + 1
    return pairs


def detect(x: NDArray[Any], rate: float) -> NDArray[np.int64]:
    """R peaks by `wfdb.processing.xqrs_detect`."""
    from wfdb import processing

    found = processing.xqrs_detect(sig=np.asarray(x, np.float64), fs=rate, verbose=False)
    return np.asarray(found, np.int64)


def annotated(root: Path, signal: Signal) -> NDArray[np.int64]:
    """Samples of the annotated beats of the excerpt."""
    import wfdb

    notes = wfdb.rdann(str(root / signal.record), "atr", sampto=len(signal.samples))
    pairs = zip(notes.sample, notes.symbol, strict=True)
    return np.array([sample for sample, symbol in pairs if symbol in BEATS], np.int64)


def windows(
    beats: NDArray[np.int64], span: tuple[float, float], rate: float, count: int
) -> NDArray[np.bool_]:
    """Which samples lie in this span of a beat."""
    inside = np.zeros(count, np.bool_)
    for beat in beats:
        first = max(int(beat) + round(span[0] * rate), 0)
        inside[first : int(beat) + round(span[1] * rate) + 1] = True
    return inside


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else nan


def look(
    signal: Signal, decoded: NDArray[Any], beats: NDArray[np.int64], bps: float, step: float
) -> View:
    """All figures of one decoded lead."""
    x, y, rate = signal.samples, decoded, signal.rate
    tolerance = round(MATCH_SECONDS * rate)
    before, after = detect(x, rate), detect(y, rate)
    shifts = [1000 * int(after[i] - before[j]) / rate for i, j in match(after, before, tolerance)]
    hits, hits_before = (len(match(found, beats, tolerance)) for found in (after, before))
    sections = butter(ORDER, HIGH_PASS, "highpass", fs=rate, output="sos")
    qrs, st = (windows(beats, span, rate, len(x)) for span in (QRS, ST))
    microvolts = 1000 / abs(signal.gain)  # the records are in mV
    return View(
        bps=bps,
        prdn=metrics.prdn(x, y),
        step=step,
        sensitivity=_percent(hits, len(beats)),
        precision=_percent(hits, len(after)),
        sensitivity_before=_percent(hits_before, len(beats)),
        precision_before=_percent(hits_before, len(before)),
        shift=float(np.mean(shifts)) if shifts else nan,
        shift_spread=float(np.std(shifts)) if shifts else nan,
        qrs=metrics.prdn(x, y, qrs),
        st=metrics.prdn(x, y, st),
        high=metrics.prdn(sosfiltfilt(sections, x), sosfiltfilt(sections, y)),
        qrs_error=metrics.rmse(x, y, qrs) * microvolts,
        st_error=metrics.rmse(x, y, st) * microvolts,
    )


class Tuned:
    """A codec of one lead at any step, each measured once."""

    def __init__(self, codec: Codec, signal: Signal) -> None:
        self._codec = codec
        self._signal = signal
        self._known: dict[int, tuple[float, float, NDArray[Any]]] = {}

    def at(self, step_number: int) -> tuple[float, float, NDArray[Any]]:
        """Bits a sample, PRDN and samples at the step of this number."""
        if step_number not in self._known:
            x, step = self._signal.samples, step_of(step_number)
            data = self._codec.encode(self._signal, "quality", step, 0)
            decoded = self._codec.decode(data, "quality", len(x), 0).samples
            bps = 8 * len(data) / len(x)
            self._known[step_number] = bps, metrics.prdn(x, decoded), decoded
        return self._known[step_number]

    def at_distortion(self, prdn: float) -> int:
        """The step whose PRDN comes nearest."""
        return self._nearest(lambda found: found[1] - prdn)

    def at_rate(self, bps: float) -> int:
        """The step whose bits a sample come nearest."""
        return self._nearest(lambda found: log(bps / found[0]))

    def _nearest(self, distance: Callable[[tuple[float, float]], float]) -> int:
        """Where a distance that rises with the step comes nearest to 0."""

        def of_step(step_number: int) -> float:
            return distance(self.at(step_number)[:2])

        low, high = LEAST_NUMBER, LARGEST_NUMBER
        while high - low > 1:
            middle = (low + high) // 2
            if of_step(middle) < 0:
                low = middle
            else:
                high = middle
        return min((low, high), key=lambda step_number: abs(of_step(step_number)))


def compare(
    root: Path, signal: Signal, codecs: tuple[Codec, Codec], targets: list[float]
) -> list[dict[str, Any]]:
    """Rows of both codecs at each PRDN of the first."""
    beats = annotated(root, signal)
    first, second = (Tuned(codec, signal) for codec in codecs)
    rows = []
    for target in targets:
        chosen = first.at_distortion(target)
        other = second.at_rate(first.at(chosen)[0])
        for codec, tuned, at in ((codecs[0], first, chosen), (codecs[1], second, other)):
            bps, _, decoded = tuned.at(at)
            view = look(signal, decoded, beats, bps, step_of(at))
            rows.append({"codec": codec.name, "target": target, "lead": signal.key, **asdict(view)})
    return rows


COLUMNS: Final = (
    ("bps", "bits/sample", 4),
    ("prdn", "PRDN, %", 2),
    ("sensitivity", "sensitivity, %", 2),
    ("precision", "PPV, %", 2),
    ("sensitivity_before", "sensitivity before", 2),
    ("precision_before", "PPV before", 2),
    ("shift", "R shift, ms", 2),
    ("shift_spread", "its spread, ms", 2),
    ("qrs", "QRS, %", 2),
    ("st", "ST, %", 2),
    ("high", "over 0.5 Hz, %", 2),
    ("qrs_error", "QRS, µV", 1),
    ("st_error", "ST, µV", 1),
)


def table(rows: list[dict[str, Any]]) -> str:
    """Means over the leads by target and codec; spreads add in squares."""
    groups: dict[tuple[float, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row["target"], row["codec"]].append(row)
    body = []
    for (target, codec), of_group in sorted(groups.items()):
        cells = [f"{target:g} %", codec, str(len(of_group))]
        for name, _, digits in COLUMNS:
            values = np.array([row[name] for row in of_group])
            mean = float(np.nanmean(values))
            if name == "shift_spread":
                mean = sqrt(float(np.nanmean(values**2)))
            cells.append(number(mean, digits))
        body.append(cells)
    head = ["first codec at", "codec", "leads", *(title for _, title, _ in COLUMNS)]
    return markdown(head, body)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("SAN_STREAM_DATA"))
    parser.add_argument("--records", default="report")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--leads", default="0")
    parser.add_argument("--first", default="san quality", help="codec tuned to the PRDN")
    parser.add_argument("--second", default="wavelet 9/7 + context", help="at the same bits")
    parser.add_argument("--targets", default="5,9,15", help="PRDN in percent")
    parser.add_argument("--out", type=Path, required=True, help="folder of clinical.jsonl, .md")
    options = parser.parse_args()
    if options.data is None:
        raise SystemExit("--data DIR, or SAN_STREAM_DATA, must name the recordings")
    codecs = build()
    pair = (codecs[options.first], codecs[options.second])
    for codec in pair:
        if codec.missing or "quality" not in codec.modes:
            raise SystemExit(f"{codec.name}: {codec.missing or 'has no quantiser step'}")
    targets = [float(target) for target in options.targets.split(",")]
    leads = tuple(map(int, options.leads.split(",")))
    options.out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    with (options.out / "clinical.jsonl").open("w", encoding="utf-8") as file:
        for record in expand(options.records):
            for signal in load(options.data, record, options.minutes, leads):
                for row in compare(options.data, signal, pair, targets):
                    rows.append(row)
                    file.write(json.dumps(row) + "\n")
                file.flush()
                print(signal.key, flush=True)
    text = table(rows)
    (options.out / "clinical.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
