"""The table of figures: each by one exact definition, for each way of coding a recording."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from san_stream import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from san_runtime.coded import Coded
    from san_stream.types import Lead

    Samples = NDArray[np.int32]
    Mask = NDArray[np.bool_]

PURPOSES = {
    "signal": "samples, or baselines and spikes, and what is missing",
    "statistics": "the loss index of each window",
    "container": "frames, headers, message prefixes, gaps, end",
    "model": "the kernels, sent once in the HEADER",
    "events": "annotations",
}
"""What the bytes of a stream are spent on (`Counters.bits`; ``unused`` is damage)."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A distortion of one lead; `name` and `definition` may hold ``{unit}`` and ``{zero}``."""

    name: str
    definition: str
    digits: int
    compute: Callable[[Samples, Samples, Mask, Lead], float]
    brief: bool = False


MEASURES = (
    Measure(
        "PRDN, %",
        "100 · ‖x − x̂‖ / ‖x − mean(x)‖",
        2,
        lambda x, y, valid, _: metrics.prdn(x, y, valid),
        brief=True,
    ),
    Measure(
        "PRD, %, offset kept",
        "100 · ‖x − x̂‖ / ‖x‖ of ADC values; the ADC's offset makes it look small",
        2,
        lambda x, y, valid, _: metrics.prd(x, y, valid),
    ),
    Measure(
        "PRD, %, less {zero}",
        "100 · ‖x − x̂‖ / ‖x − {zero}‖ of ADC values; {zero} is 0 {unit}",
        2,
        lambda x, y, valid, lead: metrics.prd_offset(x, y, lead.baseline, valid),
    ),
    Measure(
        "RMSE, {unit}",
        "√(mean of (x − x̂)²)",
        4,
        lambda x, y, valid, lead: metrics.rmse(x, y, valid) / abs(lead.gain),
        brief=True,
    ),
    Measure(
        "SNR, dB",
        "−20 · log₁₀(PRDN / 100)",
        2,
        lambda x, y, valid, _: metrics.snr(x, y, valid),
    ),
    Measure(
        "largest error, {unit}",
        "max |x − x̂|",
        3,
        lambda x, y, valid, lead: metrics.max_error(x, y, valid) / abs(lead.gain),
        brief=True,
    ),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table.

    Attributes:
        group: heading above it.
        name: what it is called, with its unit.
        definition: its formula.
        values: text for each coding.
        brief: also shown where there is little room.
    """

    group: str
    name: str
    definition: str
    values: tuple[str, ...]
    brief: bool = False


def number(value: float | None, digits: int = 3) -> str:
    """A number for people; a dash where there is none."""
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return "–"
    return f"{value:,.{digits}f}" if isfinite(value) else "∞"


def lead_prdn(original: NDArray[np.int32], coded: Coded) -> float:
    """Mean over leads of PRDN in percent."""
    values = [
        metrics.prdn(original[:, i], coded.digital[:, i], coded.valid[:, i])
        for i in range(original.shape[1])
    ]
    return float(np.mean(values))


def is_equal(original: NDArray[np.int32], coded: Coded) -> bool:
    """Whether every sample came back as it was."""
    return bool(coded.valid.all()) and np.array_equal(original, coded.digital)


def figures(original: NDArray[np.int32], codings: Sequence[Coded]) -> list[Figure]:
    """The whole table.

    Args:
        original: ADC values, int32 ``[n, leads]``.
        codings: of this recording, at least one, each of as many samples.
    """
    return [
        *_rate_figures(original, codings),
        *_distortion_figures(original, codings),
        *_window_figures(codings),
        *_other_figures(original, codings),
    ]


def _rate_figures(original: NDArray[np.int32], codings: Sequence[Coded]) -> list[Figure]:
    info = codings[0].info
    raw = len(original) * info.raw_bits
    resolutions = " and ".join(str(bits) for bits in sorted({lead.bits for lead in info.leads}))
    rows = [
        Figure(
            "Rate",
            "bits per sample",
            "8 · all bytes of the stream / (samples · leads)",
            tuple(number(metrics.bits_per_sample(c.all_bits, original.size), 3) for c in codings),
            brief=True,
        ),
        Figure(
            "Rate",
            "bits per sample, signal bytes alone",
            "8 · signal bytes / (samples · leads)",
            tuple(
                number(metrics.bits_per_sample(c.bits["signal"], original.size), 3) for c in codings
            ),
            brief=True,
        ),
        Figure(
            "Rate",
            f"CR to {resolutions} bits",
            f"samples · leads · {resolutions} bits of the ADC / (8 · all bytes of the stream)",
            tuple(number(metrics.compression_ratio(raw, c.all_bits), 2) for c in codings),
            brief=True,
        ),
        Figure(
            "Bytes",
            "bytes, all",
            f"all of the stream; {raw // 8:,} at the ADC's {resolutions} bits",
            tuple(f"{c.all_bits // 8:,}" for c in codings),
            brief=True,
        ),
    ]
    rows += [
        Figure(
            "Bytes",
            f"bytes, {purpose}",
            meaning,
            tuple(number(c.bits[purpose] / 8, 0) for c in codings),
            brief=True,
        )
        for purpose, meaning in PURPOSES.items()
    ]
    return rows


def _distortion_figures(original: NDArray[np.int32], codings: Sequence[Coded]) -> list[Figure]:
    return [
        Figure(
            f"Distortion, {lead.name}",
            measure.name.format(unit=lead.unit, zero=lead.baseline),
            measure.definition.format(unit=lead.unit, zero=lead.baseline),
            tuple(
                number(
                    measure.compute(original[:, i], c.digital[:, i], c.valid[:, i], lead),
                    measure.digits,
                )
                for c in codings
            ),
            brief=measure.brief,
        )
        for i, lead in enumerate(codings[0].info.leads)
        for measure in MEASURES
    ]


def _window_figures(codings: Sequence[Coded]) -> list[Figure]:
    length = codings[0].windows[0].length if codings[0].windows else 0
    group = f"Windows of {length:,} samples"
    names = [
        ("φ", "phi", "mean of √((CR⁻¹)² + L̃²), CR⁻¹ = (W + 2A) / n: W taps, A spikes, n samples"),
        ("φ_bits", "phi_bits", "mean of √((CR⁻¹)² + L̃²), CR⁻¹ = bits on the wire / raw bits"),
        ("L̃", "loss", "mean of Σ|x − x̂| / Σ|x − b|, b the baseline that was sent"),
    ]
    return [
        Figure(group, name, text, tuple(number(c.mean(key)) for c in codings), brief=True)
        for name, key, text in names
    ]


def _other_figures(original: NDArray[np.int32], codings: Sequence[Coded]) -> list[Figure]:
    rows = [
        Figure(
            "Live",
            "spikes per second",
            "spikes of all leads / seconds of signal",
            tuple(number(len(c.spikes) / c.seconds if c.kernels else None, 2) for c in codings),
            brief=True,
        )
    ]
    if any(coded.delay is not None for coded in codings):
        rows.append(
            Figure(
                "Live",
                "delay, seconds of signal",
                "age of a message's oldest sample when it is decoded; median over messages",
                tuple(number(c.delay, 2) for c in codings),
                brief=True,
            )
        )
    rows += [
        Figure(
            "Exactness",
            "samples equal",
            "decoded ADC values that are those of the recording",
            tuple(
                f"{np.count_nonzero((original == c.digital) & c.valid) / original.size:.1%}"
                for c in codings
            ),
            brief=True,
        ),
        Figure(
            "Exactness",
            "digest",
            "SHA-256 that the encoder put into END = that of the decoded samples",
            tuple({True: "agrees", False: "differs", None: "–"}[c.digest_ok] for c in codings),
            brief=True,
        ),
    ]
    return rows
