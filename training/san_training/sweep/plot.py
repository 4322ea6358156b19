"""A sweep as a picture: φ̄ of the validation windows over the kernel size."""

from __future__ import annotations

import math
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from san_training.activations import ACTIVATIONS
from san_training.sweep.report import best

if TYPE_CHECKING:
    from san_training.activations import Activation
    from san_training.sweep.run import Sweep

MOST_PANELS: Final = 12
COLUMNS: Final = 3
PANEL: Final = (4.2, 3.0)
"""Inches."""
LARGE_RANGE: Final = 5
COLOURS: Final = (
    "#7f7f7f",
    "#e69f00",
    "#0072b2",
    "#009e73",
    "#cc3311",
    "#56b4e9",
    "#cc79a7",
    "#000000",
)
"""Told apart also by those who do not see red and green; one an activation, in their order."""


def picture(sweep: Sweep) -> bytes:
    """A panel a signal, a line an activation, as PNG.

    A line is the lowest φ̄ over all other settings, so that its lowest point, with a ring around
    it, is what the summary names.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines: dict[str, dict[str, dict[int, float]]] = {}
    for row in sweep.done():
        line = lines.setdefault(row["signal"], {}).setdefault(row["activation"], {})
        size, phi = row["kernel_size"], row["validation_flithos"]
        line[size] = min(phi, line.get(size, math.inf))
    shown = list(lines)[:MOST_PANELS]
    columns = max(min(COLUMNS, len(shown)), 1)
    rows = max(math.ceil(len(shown) / columns), 1)
    figure = Figure(
        figsize=(max(PANEL[0] * columns, 5.5), PANEL[1] * rows + 0.7), layout="constrained"
    )
    canvas = FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    picked = {(row["signal"], row["activation"]): row for row in best(sweep)}
    for panel, name in zip(panels, shown, strict=False):
        _panel(panel, name, lines[name], picked)
    for panel in panels[len(shown) :]:
        panel.set_visible(False)
    names = [name for name in ACTIVATIONS if any(name in lines[signal] for signal in shown)]
    handles = [panels[0].plot([], [], color=_colour(name), marker=".")[0] for name in names]
    title = "φ̄ of the validation windows over the kernel size m"
    if not lines:
        title = "no trial has figures"
    if len(lines) > len(shown):
        title += f" ({len(shown)} of {len(lines)} signals)"
    figure.suptitle(title, fontsize=10)
    if names:
        figure.legend(handles, names, loc="outside lower center", ncols=len(names), fontsize=8)
    out = BytesIO()
    canvas.print_figure(out, format="png")
    return out.getvalue()


def _colour(activation: Activation) -> str:
    return COLOURS[ACTIVATIONS.index(activation) % len(COLOURS)]


def _panel(
    panel: Any,
    name: str,
    lines: dict[str, dict[int, float]],
    picked: dict[tuple[str, str], dict[str, Any]],
) -> None:
    for activation in ACTIVATIONS:
        if activation not in lines:
            continue
        points = sorted(lines[activation].items())
        colour = _colour(activation)
        panel.plot(*zip(*points, strict=True), color=colour, linewidth=1, marker=".", markersize=3)
        row = picked[name, activation]
        panel.plot(
            row["kernel_size"], row["validation_flithos"], "o", color=colour, markerfacecolor="none"
        )
    values = [phi for line in lines.values() for phi in line.values()]
    if max(values) > LARGE_RANGE * min(values):
        # A hundredfold between activations would press the good ones flat.
        panel.set_yscale("log")
        panel.yaxis.set_major_locator(_ticks())
        panel.yaxis.set_major_formatter("{x:g}")
        panel.yaxis.set_minor_formatter("")
    panel.set_title(name, fontsize=8)
    panel.set_xlabel("m", fontsize=8)
    panel.set_ylabel("φ̄", fontsize=8)
    panel.tick_params(labelsize=7)
    panel.grid(visible=True, alpha=0.3)


def _ticks() -> Any:
    from matplotlib.ticker import LogLocator

    return LogLocator(base=10, subs=(1, 2, 5))
