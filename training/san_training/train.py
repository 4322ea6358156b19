"""From records to a model that encoder and decoder can use."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from san_stream.errors import SettingError, SourceError
from san_stream.kernels import MAX_TAPS, Kernels
from san_training.data import cut_windows, read_recording
from san_training.fitting import FitSettings, fit
from san_training.integer import baselines, evaluate_set
from san_training.progress import progress
from san_training.quantising import STEP_COST, TAP_BITS, QuantisationReport, quantise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from fractions import Fraction
    from os import PathLike

    from numpy.typing import NDArray

    from san_stream.kernels import KernelSet, Tie
    from san_training.data import Recording
    from san_training.fitting import FitResult
    from san_training.init import Init
    from san_training.progress import ProgressCallback

DEFAULT_SECONDS = (0.4, 0.5, 0.6, 0.7)
"""Kernel sizes tried where none are given: about one heartbeat."""
PERIOD, VALIDATION_PLACE, TEST_PLACE = 6, 2, 5
"""Of every 6 windows the third validates, the sixth tests, four train."""


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How a model for live use is trained.

    Attributes:
        sizes: taps to try; φ̄ of the validation windows picks. Empty: 0.4 to 0.7 s.
        kernels: kernels in a set, all of one size.
        shared: one set for all leads instead of one a lead.
        tie: ``"adjoint"`` places a kernel as it was matched.
        zero_sum: kernels sum to zero and so ignore the baseline; without it the model
            declares a fixed baseline, the mean of the training windows.
        init, restarts, seed, epochs, batch, border_tolerance, device: see `FitSettings`.
        start, duration: the part of each record, in seconds; None: up to the end.
        window: samples of a window.
        tap_bits, step_cost: see `quantise`.
        compare_free: also train without the zero-sum rule, to report what it costs.
    """

    sizes: tuple[int, ...] = ()
    kernels: int = 1
    shared: bool = False
    tie: Tie = "adjoint"
    zero_sum: bool = True
    init: Init = "data"
    restarts: int = 2
    seed: int = 0
    epochs: int = 30
    batch: int = 2
    border_tolerance: int = 3
    device: str = "auto"
    start: float = 0.0
    duration: float | None = None
    window: int = 1000
    tap_bits: int = TAP_BITS
    step_cost: float = STEP_COST
    compare_free: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", tuple(self.sizes))
        for size in self.sizes:
            if not 1 + self.zero_sum <= size <= MAX_TAPS:
                kind = "zero-sum kernel" if self.zero_sum else "kernel"
                raise SettingError(f"{kind} size {size}: must be {1 + self.zero_sum} to {MAX_TAPS}")
        if self.kernels < 1:
            raise SettingError(f"{self.kernels} kernels: must be at least 1")
        if self.window < 2:
            raise SettingError(f"window of {self.window} samples: must be at least 2")


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """The windows of the leads that one kernel set will serve.

    Attributes:
        training, validation, test: ADC samples, int32 ``[windows, n]``.
        factors: of each training and each validation window: 1 over the standard
            deviation of its lead, one figure a lead, so that leads weigh alike.
        refused: windows left out because they are constant or miss samples.
    """

    training: NDArray[np.int32]
    validation: NDArray[np.int32]
    test: NDArray[np.int32]
    factors: tuple[NDArray[np.float64], NDArray[np.float64]]
    refused: int


def train_model(
    records: Sequence[str | PathLike[str]],
    leads: Sequence[str] | None = None,
    settings: TrainSettings | None = None,
    *,
    callback: ProgressCallback | None = None,
) -> Kernels:
    """Train integer kernels on WFDB records.

    The provenance of the result states the data, the settings and, for each kernel set, φ̄
    of the validation windows before and after each step of quantising, and the figures of the
    integer model on test windows, which nothing was chosen by.

    Args:
        records: paths without suffix, at least one, of one rate and one unit.
        leads: names or numbers; None: all of the first record. Each record must have them.
        settings: how; None: the defaults.
        callback: told of each epoch; without it a bar is drawn on a terminal.

    Raises:
        SourceError: a record cannot be read, differs in rate or unit, lacks a lead, or gives
            fewer than 6 usable windows of a lead.
        SettingError: a setting outside its limits.
        ModelError: training gave kernels that have no integers.
        MissingExtraError: wfdb is not installed.
    """
    settings = settings or TrainSettings()
    recordings = _read_all(records, leads, settings)
    first = recordings[0]
    sizes = settings.sizes or default_sizes(first.rate)
    groups = (first.leads,) if settings.shared else tuple((lead,) for lead in first.leads)
    windows = [_gather(recordings, group, settings.window) for group in groups]
    free = settings.zero_sum and settings.compare_free
    total = len(groups) * (len(sizes) + free) * settings.restarts * settings.epochs
    sets, figures = [], {}
    with progress(total, "training", callback) as advance:
        for group, data in zip(groups, windows, strict=True):
            name = "+".join(group)
            kernel_set, report = _train_set(data, group, sizes, settings, advance)
            sets.append(kernel_set)
            figures[name] = _figures(kernel_set, report, data, settings.tie, first.rate)
    return Kernels(
        sets=tuple(sets),
        rate=first.rate,
        unit=first.unit,
        tie=settings.tie,
        provenance=_provenance(recordings, settings) | {"figures": figures},
    )


def default_sizes(rate: Fraction) -> tuple[int, ...]:
    """Kernel sizes of 0.4, 0.5, 0.6 and 0.7 s, at most 1,024 taps."""
    sizes = {min(max(round(seconds * float(rate)), 1), MAX_TAPS) for seconds in DEFAULT_SECONDS}
    return tuple(sorted(sizes))


def _read_all(
    records: Sequence[str | PathLike[str]],
    leads: Sequence[str] | None,
    settings: TrainSettings,
) -> list[Recording]:
    """The chosen part of each record; rate, unit and leads agree."""
    if isinstance(records, str) or not records:
        raise SettingError(f"records {records!r}: must be a list of at least one path")
    recordings: list[Recording] = []
    for record in records:
        part = read_recording(record, leads, start=settings.start, duration=settings.duration)
        # Numbers mean leads of the first record, which the others must have by name.
        leads = part.leads
        if len(set(part.leads)) < len(part.leads):
            raise SourceError(f"record {record}: a lead is named twice in {', '.join(part.leads)}")
        if recordings and part.rate != recordings[0].rate:
            raise SourceError(
                f"record {record}: {part.rate} Hz, but {recordings[0].name} has "
                f"{recordings[0].rate} Hz"
            )
        if recordings and part.unit != recordings[0].unit:
            raise SourceError(
                f"record {record}: unit {part.unit!r}, but {recordings[0].name} has "
                f"{recordings[0].unit!r}"
            )
        recordings.append(part)
    return recordings


def _gather(recordings: Sequence[Recording], leads: Sequence[str], length: int) -> Windows:
    """Cut and split; the splits of several leads follow each other."""
    parts: tuple[list[NDArray[np.int32]], ...] = ([], [], [])
    factors: tuple[list[NDArray[np.float64]], ...] = ([], [])
    refused = 0
    for lead in leads:
        kept = []
        for recording in recordings:
            i = recording.leads.index(lead)
            windows, usable = cut_windows(recording.digital[:, i], recording.valid[:, i], length)
            kept.append(windows[usable])
            refused += int(np.count_nonzero(~usable))
        all_windows = np.concatenate(kept)
        if len(all_windows) < PERIOD:
            raise SourceError(
                f"lead {lead!r} of {', '.join(r.name for r in recordings)}: {len(all_windows)} "
                f"usable windows of {length} samples, at least {PERIOD} are needed"
            )
        place = np.arange(len(all_windows)) % PERIOD
        held_out = (place == VALIDATION_PLACE) | (place == TEST_PLACE)
        split = (~held_out, place == VALIDATION_PLACE, place == TEST_PLACE)
        for part, chosen in zip(parts, split, strict=True):
            part.append(all_windows[chosen])
        own = parts[0][-1]
        factor = 1 / float((own - baselines(own, None)).std())
        for out, part in zip(factors, parts, strict=False):
            out.append(np.full((len(part[-1]), 1), factor))
    training, validation, test = (np.concatenate(part) for part in parts)
    return Windows(
        training,
        validation,
        test,
        factors=(np.concatenate(factors[0]), np.concatenate(factors[1])),
        refused=refused,
    )


def _train_set(
    data: Windows,
    leads: Sequence[str],
    sizes: Sequence[int],
    settings: TrainSettings,
    advance: Callable[[str], None],
) -> tuple[KernelSet, QuantisationReport]:
    """Try all sizes, take the best by validation, and make it integer."""
    name = "+".join(leads)
    baseline = None
    if not settings.zero_sum:
        baseline = int(baselines(data.training.reshape(1, -1), None)[0, 0])
    training = (data.training - baselines(data.training, baseline)) * data.factors[0]
    validation = (data.validation - baselines(data.validation, baseline)) * data.factors[1]

    def run(size: int, *, zero_sum: bool) -> FitResult:
        return fit(
            training,
            validation,
            FitSettings(
                sizes=(size,) * settings.kernels,
                tie=settings.tie,
                zero_sum=zero_sum,
                init=settings.init,
                restarts=settings.restarts,
                seed=settings.seed,
                epochs=settings.epochs,
                batch=settings.batch,
                border_tolerance=settings.border_tolerance,
                device=settings.device,
            ),
            callback=lambda _done, _total, text: advance(f"{name} m = {size} {text}"),
        )

    results = [run(size, zero_sum=settings.zero_sum) for size in sorted(sizes)]
    # The smaller size wins where two are equal.
    best = min(results, key=lambda result: result.validation.phi)
    phi_free = None
    if settings.zero_sum and settings.compare_free:
        phi_free = run(best.settings.sizes[0], zero_sum=False).validation.phi
    return quantise(
        best,
        data.validation,
        baseline=baseline,
        leads=leads,
        tap_bits=settings.tap_bits,
        step_cost=settings.step_cost,
        phi_free=phi_free,
    )


def _figures(
    kernel_set: KernelSet, report: QuantisationReport, data: Windows, tie: Tie, rate: Fraction
) -> dict[str, Any]:
    """Numbers for the provenance, to six digits."""
    test = evaluate_set(data.test, kernel_set, tie)
    values = {
        "validation_phi_free": report.phi_free,
        "validation_phi_float": report.phi_float,
        "validation_phi_integer_taps": report.phi_taps,
        "validation_phi_integer": report.phi_integer,
        "test_phi": test.phi,
        "test_loss": test.loss,
        "test_inverse_compression_ratio": test.inverse_ratio,
        "test_spikes_per_second": sum(test.spikes) * float(rate) / data.test.size,
    }
    counts = {
        "training_windows": len(data.training),
        "validation_windows": len(data.validation),
        "test_windows": len(data.test),
        "refused_windows": data.refused,
    }
    return counts | {k: float(f"{v:.6g}") for k, v in values.items() if v is not None}


def _provenance(recordings: Sequence[Recording], settings: TrainSettings) -> dict[str, Any]:
    """Data and settings, nothing that differs between two runs of the same."""
    left_out = {"sizes", "device", "start", "duration", "tie", "compare_free"}
    return {
        "records": ", ".join(recording.name for recording in recordings),
        "first_sample": recordings[0].first_sample,
        "samples": sum(len(recording.digital) for recording in recordings),
        **{k: v for k, v in asdict(settings).items() if k not in left_out},
    }
