"""Bits at a given distortion: the lower envelope of a sweep, interpolated."""

from __future__ import annotations

from math import exp, floor, isfinite, log, log2, nan, sqrt
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Point = tuple[float, float]
"""PRDN in percent, bits a sample."""

STEPS_PER_OCTAVE: Final = 2
"""Of a sweep."""
MOST_STEPS: Final = 40
LEAST_STEP, LARGEST_STEP = 2.0**-4, 2.0**12


def envelope(points: Iterable[Point]) -> list[Point]:
    """The points that no other beats in both, by rising distortion and falling rate."""
    out: list[Point] = []
    for distortion, rate in sorted(points, key=lambda point: (point[1], point[0])):
        if not out or distortion < out[-1][0]:
            out.append((distortion, rate))
    return out[::-1]


def rate_at(points: Iterable[Point], target: float) -> float:
    """Bits a sample at a distortion.

    Between two points of the envelope the logarithms are interpolated. A target coarser
    than all points has the rate of the coarsest, which meets it; one finer has none: NaN.
    """
    edge = envelope(point for point in points if point[0] > 0 and isfinite(point[0]))
    if not edge or target < edge[0][0]:
        return nan
    if target >= edge[-1][0]:
        return edge[-1][1]
    upper = next(i for i, point in enumerate(edge) if point[0] > target)
    (d0, r0), (d1, r1) = edge[upper - 1], edge[upper]
    share = (log(target) - log(d0)) / (log(d1) - log(d0))
    return exp(log(r0) + share * (log(r1) - log(r0)))


def sweep(measure: Callable[[float], float], deviation: float, targets: Iterable[float]) -> None:
    """Measure at steps, half an octave apart, from below the least target to above the largest.

    Args:
        measure: PRDN in percent at a step in ADC units, NaN where it failed.
        deviation: standard deviation of the signal, ADC units, above 0.
        targets: PRDN in percent.
    """
    wanted = sorted(targets)
    # Uniform noise of a step has a deviation of step / √12; coarse steps lose less.
    first = wanted[0] / 100 * sqrt(12) * deviation
    begin = floor(STEPS_PER_OCTAVE * log2(first))
    for direction in (-1, 1):
        number = begin + (direction == 1)
        for _ in range(MOST_STEPS):
            step = 2.0 ** (number / STEPS_PER_OCTAVE)
            if not LEAST_STEP <= step <= LARGEST_STEP:
                break
            found = measure(step)
            if direction == -1 and not found > wanted[0]:
                break
            if direction == 1 and not found < wanted[-1]:
                break
            number += direction
