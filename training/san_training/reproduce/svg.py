"""Small drawings as SVG text: plots, kernels, stems, and arrays as pictures."""

from __future__ import annotations

import base64
import struct
import zlib
from html import escape
from math import ceil, floor, log10
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LEFT: Final = 44
RIGHT: Final = 10
TOP: Final = 22
BOTTOM: Final = 34


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from `low` to `high`, at most about `most` of them."""
    span = high - low
    if not span > 0:
        return [low]
    unit = 10.0 ** floor(log10(span / most))
    step = next(unit * m for m in (1, 2, 2.5, 5, 10) if unit * m >= span / most * (1 - 1e-9))
    first = ceil(low / step - 1e-9)
    return [step * i for i in range(first, floor(high / step + 1e-9) + 1)]


class Plot:
    """A plot area with axes and a title; `x` and `y` place data in it."""

    def __init__(
        self,
        x_range: tuple[float, float],
        y_range: tuple[float, float],
        *,
        width: int = 340,
        height: int = 220,
        right: int = RIGHT,
    ) -> None:
        self.x_range, self.y_range = x_range, y_range
        self.width, self.height, self.right = width, height, right
        self.parts: list[str] = []

    def x(self, value: float) -> float:
        """Horizontal place."""
        low, high = self.x_range
        return LEFT + (value - low) / (high - low or 1) * (self.width - LEFT - self.right)

    def y(self, value: float) -> float:
        """Vertical place."""
        low, high = self.y_range
        bottom = self.height - BOTTOM
        return bottom - (value - low) / (high - low or 1) * (bottom - TOP)

    def axes(self, title: str, x_title: str, y_title: str) -> None:
        """Grid, numbers and titles."""
        bottom, end = self.height - BOTTOM, self.width - self.right
        for value in ticks(*self.y_range):
            self.line(LEFT, self.y(value), end, self.y(value), "grid")
            self.text(LEFT - 5, self.y(value) + 4, f"{value:g}", "tick end")
        for value in ticks(*self.x_range):
            self.line(self.x(value), TOP, self.x(value), bottom, "grid")
            self.text(self.x(value), bottom + 14, f"{value:g}", "tick middle")
        self.text(LEFT, 14, title, "title")
        self.text(end, self.height - 5, x_title, "axis end")
        self.parts.append(
            f'<text class="axis middle" transform="translate(10 {(TOP + bottom) / 2:.0f}) '
            f'rotate(-90)">{escape(y_title)}</text>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, style: str) -> None:
        """A straight line between places."""
        self.parts.append(
            f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
        )

    def text(self, x: float, y: float, text: str, style: str) -> None:
        """Text at a place."""
        self.parts.append(f'<text class="{style}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>')

    def curve(self, xs: Sequence[float], ys: Sequence[float], style: str) -> None:
        """A line through points of the data."""
        place = " ".join(f"{self.x(a):.1f},{self.y(b):.1f}" for a, b in zip(xs, ys, strict=True))
        self.parts.append(f'<polyline class="line {style}" points="{place}"/>')

    def band(
        self, xs: Sequence[float], low: Sequence[float], high: Sequence[float], style: str
    ) -> None:
        """The area between two lines, cut off at the plot's edges."""
        least, most = self.y_range
        edge = [*zip(xs, high, strict=True), *reversed([*zip(xs, low, strict=True)])]
        place = " ".join(f"{self.x(a):.1f},{self.y(min(max(b, least), most)):.1f}" for a, b in edge)
        self.parts.append(f'<polygon class="band {style}" points="{place}"/>')

    def dots(self, xs: Sequence[float], ys: Sequence[float], style: str, radius: float) -> None:
        """A dot for each point of the data within the ranges."""
        inside = [
            (a, b)
            for a, b in zip(xs, ys, strict=True)
            if self.x_range[0] <= a <= self.x_range[1] and self.y_range[0] <= b <= self.y_range[1]
        ]
        # One path of arcs of no length: a fraction of the bytes of as many circles.
        path = "".join(f"M{self.x(a):.1f} {self.y(b):.1f}h0" for a, b in inside)
        self.parts.append(f'<path class="dots {style}" stroke-width="{2 * radius:g}" d="{path}"/>')

    def stems(self, ys: Sequence[float], style: str) -> None:
        """A line from 0 and a dot for each value that is not 0."""
        at = [i for i, value in enumerate(ys) if value != 0]
        path = "".join(f"M{self.x(i):.1f} {self.y(0):.1f}V{self.y(ys[i]):.1f}" for i in at)
        self.parts.append(f'<path class="stem {style}" d="{path}"/>')
        self.dots([float(i) for i in at], [ys[i] for i in at], style, 1.8)

    def svg(self, label: str) -> str:
        """The drawing, with a label for who cannot see it."""
        return wrap(self.width, self.height, "".join(self.parts), label)


def wrap(width: float, height: float, content: str, label: str) -> str:
    """A drawing of its own."""
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(label)}">'
        f"{content}</svg>"
    )


def spark(values: NDArray[Any], place: tuple[float, float, float, float], style: str) -> str:
    """A curve without axes that fills (x, y, width, height); of one value a dot."""
    x, y, width, height = place
    low, high = float(values.min()), float(values.max())
    steps = max(len(values) - 1, 1)
    points = [
        (
            x + width * (i / steps if len(values) > 1 else 0.5),
            y + height * (1 - ((value - low) / (high - low) if high > low else 0.5)),
        )
        for i, value in enumerate(values.tolist())
    ]
    if len(points) == 1:
        at = f"{points[0][0]:.1f} {points[0][1]:.1f}"
        return f'<path class="dots {style}" stroke-width="5" d="M{at}h0"/>'
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    return f'<polyline class="line {style}" points="{line}"/>'


def picture(values: NDArray[Any], place: tuple[float, float, float, float]) -> str:
    """An array as a picture: 0 is white, above 0 blue, below 0 red, by its largest magnitude."""
    largest = float(np.abs(values).max()) or 1.0
    share = np.clip(values / largest, -1, 1)[..., None]
    blue, red = np.array([13, 71, 161]), np.array([183, 28, 28])
    colours = 255 - np.abs(share) * (255 - np.where(share > 0, blue, red))
    return image(colours.astype(np.uint8), place, pixelated=True)


def image(
    pixels: NDArray[np.uint8], place: tuple[float, float, float, float], *, pixelated: bool
) -> str:
    """Pixels ``[h, w, 3 or 4]`` at (x, y, width, height)."""
    x, y, width, height = place
    data = base64.b64encode(png(pixels)).decode("ascii")
    style = ' style="image-rendering:pixelated"' if pixelated else ""
    return (
        f'<image x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" '
        f'preserveAspectRatio="none"{style} href="data:image/png;base64,{data}"/>'
    )


def png(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG file of pixels ``[h, w, 3 or 4]``."""
    height, width, channels = pixels.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2 if channels == 3 else 6, 0, 0, 0)
    # Each row begins with its filter, 0: none.
    rows = np.zeros((height, 1 + width * channels), np.uint8)
    rows[:, 1:] = pixels.reshape(height, -1)
    packed = zlib.compress(rows.tobytes(), 9)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts
