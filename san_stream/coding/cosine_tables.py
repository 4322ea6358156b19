"""One wave of a cosine in integers, from which the cosine transform takes all its factors."""

from __future__ import annotations

from typing import Final

LONGEST_LOG: Final = 8
LONGEST_FRAME: Final = 1 << LONGEST_LOG
FACTOR_BITS: Final = 17
QUARTER: Final = 2 * LONGEST_FRAME
WAVE_MASK: Final = 4 * QUARTER - 1

_FINE: Final = 60
# floor(2^60 cos a) and floor(2^60 sin a) for a = π / 1024
_COSINE: Final = 1152916078738702569
_SINE: Final = 3537113327227485
# floor(2^60 / sqrt 2)
_ROOT: Final = 815238614083298888


def _rounded(value: int) -> int:
    """From `_FINE` to `FACTOR_BITS`, to the nearest."""
    return (value + (1 << (_FINE - FACTOR_BITS - 1))) >> (_FINE - FACTOR_BITS)


def _quarter_wave() -> list[int]:
    """2^17 cos(π j / 1024) for j = 0 to 512, by turns of π / 1024 in 60 bits.

    Each turn adds less than 2^-58 of error, all of them 2^-49: far below what could turn the
    rounding of any of these values.
    """
    cosine, sine = 1 << _FINE, 0
    out = []
    for _ in range(QUARTER + 1):
        out.append(_rounded(cosine))
        cosine, sine = (
            (cosine * _COSINE - sine * _SINE) >> _FINE,
            (sine * _COSINE + cosine * _SINE) >> _FINE,
        )
    return out


_FIRST: Final = _quarter_wave()
_HALF: Final = [*_FIRST[:QUARTER], *(-value for value in _FIRST[:0:-1])]

COSINES: Final = [*_HALF, *(-value for value in _HALF)]
"""2^17 cos(π j / 1024), j = 0 to 2047."""

FRAME_SCALES: Final = [
    _rounded(((1 << _FINE) if size % 2 else 2 * _ROOT) >> ((size - size % 2) // 2))
    for size in range(LONGEST_LOG + 1)
]
"""2^17 sqrt(2 / n) of frames of n = 1, 2, 4, ... 256 samples."""
