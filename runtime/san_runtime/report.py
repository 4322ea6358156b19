"""One self-contained page on a recording and what came back of it.

Nothing is requested from anywhere: style, script, drawings and samples are in the page, and
its content security policy allows nothing else. All text is escaped; the samples travel as
base64 of little-endian integers.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from san_runtime.outputs import PartialFile
from san_runtime.report_parts import (
    bytes_section,
    definition_list,
    figures_table,
    paragraphs,
    tiles,
    windows_table,
)
from san_runtime.report_svg import kernel_chart, window_chart
from san_stream.errors import SinkError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from san_runtime.coded import Coded
    from san_runtime.figures import Figure
    from san_stream.types import Event

TEMPLATE: Final = Path(__file__).with_name("report.html")
MARK: Final = '<meta name="generator" content="san-stream report">'
"""By this a report is known among other pages."""
MARK_WITHIN: Final = 1024
PLACE: Final = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What the page tells.

    Attributes:
        title: of the page.
        subject: one line on the recording.
        original: ADC values, int32 ``[n, leads]``.
        codings: of this recording; the first is shown first.
        figures: the table.
        facts: short statements at the top.
        events: annotations of the recording, on the same sample index.
        parameters: names and values of how it was done.
        notice: paragraphs on the source of the recording.
    """

    title: str
    subject: str
    original: NDArray[np.int32]
    codings: tuple[Coded, ...]
    figures: tuple[Figure, ...]
    facts: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    notice: tuple[str, ...] = ()


def render(report: Report) -> str:
    """The page as HTML text."""
    codings = report.codings
    sparse = [coded for coded in codings if coded.kernels]
    parts = {
        "mark": MARK,
        "title": escape(report.title),
        "subject": escape(report.subject),
        "facts": "".join(f"<li>{escape(fact)}</li>" for fact in report.facts),
        "tiles": "".join(tiles(report.original, coded) for coded in codings),
        "kernels": "".join(kernel_chart(coded, i) for coded in sparse for i in _leads(coded)),
        "windows": "".join(window_chart(coded) for coded in codings if coded.shown_windows),
        "window_tables": "".join(windows_table(coded) for coded in codings),
        "bytes": bytes_section(report.original, codings),
        "figures": figures_table(report.figures, [coded.profile for coded in codings]),
        "parameters": definition_list(report.parameters),
        "notice": paragraphs(report.notice),
        "data": _script_json(page_data(report)),
    }
    template = TEMPLATE.read_text(encoding="utf-8")
    return PLACE.sub(lambda match: parts[match.group(1)], template)


def page_data(report: Report) -> dict[str, Any]:
    """What the page's script draws from; see `pack_samples` for the arrays.

    ``missing`` lists ``[lead, first row, rows]`` of stretches without a true value; a spike is
    ``[row, lead, kernel, α]``, α in physical units.
    """
    info = report.codings[0].info
    first = report.codings[0].first_sample
    return {
        "rate": float(info.rate),
        "first": first,
        "leads": [
            {"name": lead.name, "unit": lead.unit, "gain": lead.gain, "baseline": lead.baseline}
            for lead in info.leads
        ],
        "original": pack_samples(report.original),
        "codings": [
            {
                "name": coded.profile,
                "digital": pack_samples(coded.digital),
                "missing": list(_missing(coded.valid)),
                "spikes": [
                    [s.sample - first, s.lead, s.kernel, _alpha(coded, s.lead, s.amplitude)]
                    for s in coded.spikes
                ],
            }
            for coded in report.codings
        ],
        "events": [[e.sample - first, e.symbol] for e in report.events],
    }


def pack_samples(samples: NDArray[np.int32]) -> dict[str, Any]:
    """An array for the page: little-endian, one lead after the other, as base64.

    Args:
        samples: int32 ``[n, leads]``.

    Returns:
        ``type`` (int16 where it holds all values, else int32), ``length`` n, ``data``.
    """
    small = samples.size == 0 or (samples.min() >= -(2**15) and samples.max() < 2**15)
    kind = "int16" if small else "int32"
    octets = samples.T.astype("<i2" if small else "<i4").tobytes()
    return {"type": kind, "length": len(samples), "data": base64.b64encode(octets).decode("ascii")}


def check_target(path: Path, *, force: bool = False) -> None:
    """Refuse to replace a file that is no report, or to write where that is not possible.

    Raises:
        SinkError: naming the file or folder.
    """
    folder = path.parent
    if path.is_dir():
        raise SinkError(f"report {str(path)!r}: is a folder")
    if not folder.is_dir():
        raise SinkError(f"report {str(path)!r}: there is no folder {str(folder)!r}")
    try:
        with path.open("rb") as file:
            ours = MARK.encode("ascii") in file.read(MARK_WITHIN)
    except FileNotFoundError:
        ours = True
    except OSError as error:
        raise SinkError(f"report {str(path)!r}: {error.strerror or error}") from None
    if not ours and not force:
        raise SinkError(
            f"report {str(path)!r}: exists and is no report of san-stream; --force replaces it"
        )
    PartialFile(path).abort()  # says now, not after the run, that nothing can be written here


def write(report: Report, path: Path) -> None:
    """Write the page; it appears whole or not at all.

    Raises:
        SinkError: it could not be written.
    """
    file = PartialFile(path)
    try:
        file.write(render(report).encode("utf-8"))
    except BaseException:
        file.abort()
        raise
    file.finish(path)


def _leads(coded: Coded) -> range:
    return range(len(coded.info.leads))


def _alpha(coded: Coded, lead: int, amplitude: int) -> float:
    """α in physical units: 2^step of the similarity, taps by 2^-scale, ADC units by the gain."""
    group = coded.kernels[lead]
    value = amplitude * 2.0 ** (group.step - group.scale) / coded.info.leads[lead].gain
    return float(f"{value:.6g}")


def _missing(valid: NDArray[np.bool_]) -> Iterator[list[int]]:
    for lead in range(valid.shape[1]):
        edges = np.flatnonzero(np.diff(np.concatenate(([True], valid[:, lead], [True]))))
        for begin, end in edges.reshape(-1, 2).tolist():
            yield [lead, begin, end - begin]


def _script_json(value: Any) -> str:
    """JSON that is safe within a script element."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
