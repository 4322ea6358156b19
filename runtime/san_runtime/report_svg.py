"""Drawings of a report that need no script: kernels, and figures by window."""

from __future__ import annotations

from html import escape
from math import ceil, floor, log10
from typing import TYPE_CHECKING

from san_runtime.figures import number
from san_stream.kernels import footprint_offset, placed_taps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from san_runtime.coded import Coded

WIDTH, HEIGHT = 460, 270
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 14, 38


def nice_ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers from `low` to `high`, at most about `most` of them."""
    span = high - low
    if span <= 0:
        return [low]
    rough = span / most
    unit = 10.0 ** floor(log10(rough))
    step = next(unit * m for m in (1, 2, 2.5, 5, 10) if unit * m >= rough)
    first = ceil(low / step - 1e-9)
    return [step * i for i in range(first, floor(high / step + 1e-9) + 1)]


class Chart:
    """A plot area with axes; `x` and `y` place data in it."""

    def __init__(
        self, x_range: tuple[float, float], y_range: tuple[float, float], *, top: int = TOP
    ) -> None:
        self.x_range, self.y_range = x_range, y_range
        self.top, self.bottom = top, HEIGHT - BOTTOM
        self.parts: list[str] = []

    def x(self, value: float) -> float:
        """Horizontal place."""
        low, high = self.x_range
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Vertical place."""
        low, high = self.y_range
        return self.bottom - (value - low) / (high - low) * (self.bottom - self.top)

    def axes(self, x_title: str, y_title: str, x_ticks: Sequence[float]) -> None:
        """Grid, numbers and titles."""
        y_ticks = nice_ticks(*self.y_range, 5)
        for value in y_ticks:
            y = self.y(value)
            self.line(LEFT, y, WIDTH - RIGHT, y, "grid")
            self.text(LEFT - 6, y + 4, _decimal(value, y_ticks), "tick end")
        for value in x_ticks:
            x = self.x(value)
            self.line(x, self.top, x, self.bottom, "grid")
            self.text(x, self.bottom + 15, _decimal(value, x_ticks), "tick middle")
        self.text(WIDTH - RIGHT, HEIGHT - 6, x_title, "axis end")
        middle = (self.top + self.bottom) / 2
        self.parts.append(
            f'<text class="axis middle" transform="translate(11 {middle:.1f}) rotate(-90)">'
            f"{escape(y_title)}</text>"
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, style: str) -> None:
        """A straight line."""
        self.parts.append(
            f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
        )

    def path(self, points: Sequence[tuple[float, float]], style: str) -> None:
        """A line through points of the data."""
        place = " ".join(f"{self.x(a):.1f},{self.y(b):.1f}" for a, b in points)
        self.parts.append(f'<polyline class="{style}" points="{place}"/>')

    def text(self, x: float, y: float, text: str, style: str) -> None:
        """Text at a place."""
        self.parts.append(f'<text class="{style}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>')

    def svg(self, label: str) -> str:
        """The drawing, with a label for who cannot see it."""
        return (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">'
            f"{''.join(self.parts)}</svg>"
        )


def kernel_chart(coded: Coded, lead: int) -> str:
    """All kernels of one lead as placed, with their lengths and minimum distances."""
    group = coded.kernels[lead]
    rate = float(coded.info.rate)
    name = coded.info.leads[lead].name
    curves = []
    for kernel in group.kernels:
        taps = placed_taps(kernel, coded.tie)  # type: ignore[arg-type]  # a header's tie
        offset = footprint_offset(kernel, coded.tie)  # type: ignore[arg-type]  # likewise
        unit = 2.0**-group.scale
        curves.append([((j - offset) / rate, int(tap) * unit) for j, tap in enumerate(taps)])
    left = min(points[0][0] for points in curves)
    right = max(points[-1][0] for points in curves)
    values = [value for points in curves for _, value in points]
    low, high = min(values), max(values)
    rows = len(curves)
    margin = 0.06 * (high - low or 1)
    chart = Chart((left, right), (low - margin, high + margin), top=TOP + 34 * rows)
    chart.axes("s from the spike", "weight", nice_ticks(left, right, 6))
    chart.line(chart.x(0), chart.top, chart.x(0), chart.bottom, "zero")
    for i, (kernel, points) in enumerate(zip(group.kernels, curves, strict=True)):
        chart.path(points, f"kernel k{i % 4}")
        spans = (
            (
                len(kernel.taps),
                f"{len(kernel.taps)} taps = {1000 * len(kernel.taps) / rate:.0f} ms",
            ),
            (kernel.med, f"med = {kernel.med} samples = {1000 * kernel.med / rate:.0f} ms"),
        )
        for row, (samples, text) in enumerate(spans):
            y = TOP + 34 * i + 17 * row
            begin = chart.x(points[0][0])
            end = chart.x(points[0][0] + (samples - 1) / rate)
            chart.line(begin, y, end, y, "span")
            for edge in (begin, end):
                chart.line(edge, y - 4, edge, y + 4, "span")
            chart.text((begin + end) / 2, y + 4, text, "label middle halo")
    caption = ", ".join(
        f"{len(k.taps)} taps ({1000 * len(k.taps) / rate:.0f} ms), med {k.med}"
        for k in group.kernels
    )
    label = f"Kernels of lead {name}: {caption}"
    return (
        f"<figure><figcaption><b>{escape(name)}</b> kernel{'s' * (rows > 1)}, taps in units of "
        f"2<sup>−{group.scale}</sup>, amplitude step 2<sup>{group.step}</sup></figcaption>"
        f"{chart.svg(label)}</figure>"
    )


def window_chart(coded: Coded) -> str:
    """φ, φ_bits and L̃ of each window as steps over time."""
    rate = float(coded.info.rate)
    windows = coded.shown_windows
    names = [("phi", "φ"), ("phi_bits", "φ_bits"), ("loss", "L̃")]
    series = []
    for key, text in names:
        values = [getattr(window, key) for window in windows]
        if any(value is not None for value in values):
            series.append((key, text, values))
    high = max(v for _, _, values in series for v in values if v is not None)
    first = windows[0].first_sample / rate
    last = min(
        (windows[-1].first_sample + windows[-1].length) / rate,
        (coded.first_sample + len(coded.digital)) / rate,
    )
    chart = Chart((first, last), (0, 1.08 * high or 1), top=TOP + 18)
    chart.axes("time, s", "", nice_ticks(first, last, 6))
    at = float(LEFT)
    for key, text, values in series:
        piece: list[tuple[float, float]] = []
        for window, value in zip(windows, values, strict=True):
            begin = max(window.first_sample / rate, first)
            end = min((window.first_sample + window.length) / rate, last)
            if value is not None:
                piece += [(begin, value), (end, value)]
            elif piece:
                chart.path(piece, f"series s-{key}")
                piece = []
        if piece:
            chart.path(piece, f"series s-{key}")
        mean = f"{text} {number(coded.mean(key))}"
        chart.line(at, TOP, at + 18, TOP, f"series s-{key}")
        chart.text(at + 23, TOP + 4, mean, "label")
        at += 48 + 8 * len(mean)
    label = f"{coded.profile}: " + ", ".join(
        f"{text} mean {number(coded.mean(key))}" for key, text, _ in series
    )
    return (
        f"<figure><figcaption><b>{escape(coded.profile)}</b>, windows of "
        f"{windows[0].length:,} samples; the numbers are means</figcaption>"
        f"{chart.svg(label)}</figure>"
    )


def _decimal(value: float, ticks: Sequence[float]) -> str:
    """A tick's number with as many digits as the distance of the ticks needs."""
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    digits = len(f"{step:.10g}".partition(".")[2])
    text = f"{value:.{digits}f}"
    return text.replace("-", "−") if float(text) else "0"
