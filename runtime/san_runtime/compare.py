"""Two signals, lead by lead: how far a decoded file lies from the record it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from san_runtime.files import is_stream_file, make_decoder, read_signals
from san_runtime.sources import open_source
from san_stream import metrics
from san_stream.errors import SettingError
from san_stream.types import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from san_stream.types import Lead, StreamInfo

MAX_SAMPLES = 2**31
"""Longest span that is compared: gaps are held in memory as missing samples."""


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """One stream as a whole.

    Attributes:
        info: rate and leads.
        first: absolute index of row 0.
        digital: int32 ``[n, leads]``.
        valid: bool ``[n, leads]``; False in gaps and where no value is known.
    """

    info: StreamInfo
    first: int
    digital: NDArray[np.int32]
    valid: NDArray[np.bool_]


_Piece = tuple[int, "NDArray[np.int32]", "NDArray[np.bool_]"]


def load(
    path: str,
    *,
    channels: Sequence[str] | None = None,
    start: float = 0,
    duration: float | None = None,
) -> list[Recorded]:
    """All streams of a stream file or of a WFDB record.

    Args:
        path: stream file (suffix ``.san`` or what one begins with), else a record.
        channels, start, duration: part of a record, as for `open_source`; a stream file
            is taken as it is.

    Raises:
        SanStreamError: it cannot be read; a stream file with more than one segment.
    """
    if is_stream_file(path):
        return _load_file(path)
    with open_source(path, channels=channels, start=start, duration=duration) as source:
        pieces: dict[int, list[_Piece]] = {info.stream: [] for info in source.infos}
        for item in source:
            if isinstance(item, Chunk):
                valid = item.valid
                if valid is None:
                    valid = np.ones(item.samples.shape, np.bool_)
                pieces[item.stream].append((item.first_sample, item.samples, valid))
        return [_joined(path, info, pieces[info.stream]) for info in source.infos]


def _load_file(path: str) -> list[Recorded]:
    infos: dict[int, StreamInfo] = {}
    pieces: dict[int, list[_Piece]] = {}
    for signal in read_signals(path, make_decoder()):
        if signal.segment:
            raise SettingError(f"file {path!r}: holds several segments, compare them one by one")
        infos[signal.stream] = signal.info
        pieces.setdefault(signal.stream, []).append(
            (signal.first_sample, signal.digital, signal.valid)
        )
    return [_joined(path, infos[stream], pieces[stream]) for stream in sorted(infos)]


def _joined(path: str, info: StreamInfo, pieces: list[_Piece]) -> Recorded:
    pieces = [piece for piece in pieces if len(piece[1])]
    if not pieces:
        raise SettingError(f"{path!r}: stream {info.stream} holds no samples")
    first = pieces[0][0]
    count = pieces[-1][0] + len(pieces[-1][1]) - first
    if count > MAX_SAMPLES:
        raise SettingError(f"{path!r}: spans {count} samples, at most {MAX_SAMPLES} are compared")
    digital = np.zeros((count, len(info.leads)), np.int32)
    valid = np.zeros((count, len(info.leads)), np.bool_)
    for at, rows, known in pieces:
        digital[at - first : at - first + len(rows)] = rows
        valid[at - first : at - first + len(rows)] = known
    return Recorded(info, first, digital, valid)


def compare(
    original: str,
    decoded: str,
    *,
    channels: Sequence[str] | None = None,
    start: float = 0,
    duration: float | None = None,
) -> dict[str, Any]:
    """Compare two files or records; the first is the original.

    Args:
        original, decoded: stream files or WFDB records.
        channels, start, duration: part of a record; stream files are taken whole.

    Returns:
        ``equal`` (same samples, same missing ones) and figures of each lead, for JSON.
        Figures count the samples that are valid in both, in ADC units unless named
        otherwise: ``prd``, ``prd_baseline`` (offset = the lead's baseline), ``prdn``
        (percent), ``rmse``, ``rmse_physical``, ``snr`` (dB), ``max_error``,
        ``max_error_physical``.

    Raises:
        SettingError: streams, leads, rates or lengths differ.
    """
    names = (original, decoded)
    sides = [load(path, channels=channels, start=start, duration=duration) for path in names]
    _same("streams", names, *(len(side) for side in sides))
    leads = []
    for a, b in zip(*sides, strict=True):
        _check_alike(names, a, b)
        shared = slice(0, min(len(a.digital), len(b.digital)))
        for i, lead in enumerate(a.info.leads):
            leads.append({"stream": a.info.stream, **_figures(lead, i, a, b, shared)})
    return {
        "original": original,
        "decoded": decoded,
        "equal": all(lead["equal"] for lead in leads),
        "leads": leads,
    }


def _check_alike(names: tuple[str, str], a: Recorded, b: Recorded) -> None:
    _same("rate", names, a.info.rate, b.info.rate)
    _same("leads", names, len(a.info.leads), len(b.info.leads))
    _same("first sample", names, a.first, b.first)
    _same("samples a lead", names, len(a.digital), len(b.digital))
    for mine, its in zip(a.info.leads, b.info.leads, strict=True):
        for what in ("gain", "baseline", "unit"):
            _same(f"{what} of lead {mine.name!r}", names, getattr(mine, what), getattr(its, what))


def _same(what: str, names: tuple[str, str], a: object, b: object) -> None:
    if a != b:
        hint = "; --start and --duration compare a part" if "sample" in what else ""
        raise SettingError(f"{what} differ: {a} in {names[0]!r}, {b} in {names[1]!r}{hint}")


def _figures(lead: Lead, i: int, a: Recorded, b: Recorded, shared: slice) -> dict[str, Any]:
    x, y = a.digital[shared, i], b.digital[shared, i]
    both = a.valid[shared, i] & b.valid[shared, i]
    same_mask = bool(np.array_equal(a.valid[shared, i], b.valid[shared, i]))
    figures: dict[str, Any] = {
        "lead": lead.name,
        "unit": lead.unit,
        "samples": int(both.sum()),
        "missing_in_one": int((a.valid[shared, i] ^ b.valid[shared, i]).sum()),
        "equal": same_mask and bool(np.array_equal(x[both], y[both])),
    }
    if not both.any():
        return figures | dict.fromkeys(_FIGURES)
    root, largest = metrics.rmse(x, y, both), metrics.max_error(x, y, both)
    values = (
        metrics.prd(x, y, both),
        metrics.prd_offset(x, y, lead.baseline, both),
        metrics.prdn(x, y, both),
        root,
        root / abs(lead.gain),
        metrics.snr(x, y, both),
        largest,
        largest / abs(lead.gain),
    )
    return figures | dict(zip(_FIGURES, values, strict=True))


_FIGURES = (
    "prd",
    "prd_baseline",
    "prdn",
    "rmse",
    "rmse_physical",
    "snr",
    "max_error",
    "max_error_physical",
)


def rows(found: dict[str, Any]) -> Iterator[list[str]]:
    """The figures as rows of text, the first of them titles."""
    yield [
        "lead", "samples", "PRD %", "PRD-baseline %", "PRDN %", "RMSE ADC", "RMSE", "SNR dB",
        "max error ADC", "max error",
    ]  # fmt: skip
    for lead in found["leads"]:
        unit = lead["unit"]

        def text(name: str, digits: int, after: str = "", lead: dict[str, Any] = lead) -> str:
            value = lead[name]
            return "-" if value is None else f"{value:.{digits}f}{after}"

        yield [
            lead["lead"],
            f"{lead['samples']:,}",
            text("prd", 3),
            text("prd_baseline", 3),
            text("prdn", 3),
            text("rmse", 3),
            text("rmse_physical", 5, f" {unit}"),
            text("snr", 2),
            text("max_error", 0),
            text("max_error_physical", 5, f" {unit}"),
        ]
