"""Where beats are, and the baseline they stand on; exact integers, on what is passed alone.

The detector is the SAN's rule: extrema of a similarity, here that of the signal with a
band-pass kernel made of two boxes (about 5 to 25 Hz), that keep a minimum distance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NARROW: Final = (18, 1000)  # seconds of the box that ends at 25 Hz
WIDE: Final = (90, 1000)  # of the one that ends at 5 Hz
ENERGY: Final = (80, 1000)
DISTANCE: Final = (250, 1000)
LEVEL: Final = (4000, 1000)
BASELINE: Final = (600, 1000)
SHARE: Final = (35, 100)  # of the local level, which a beat's energy exceeds


def _samples(length: tuple[int, int], rate: int) -> int:
    return max(length[0] * rate // length[1], 1)


def moving_sum(values: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Centred sums over `length` values (made odd), ends repeated; int64 ``[n]``."""
    half = length // 2
    padded = np.concatenate((np.full(half + 1, values[0]), values, np.full(half, values[-1])))
    sums = np.cumsum(padded)
    out: NDArray[np.int64] = sums[2 * half + 1 :] - sums[: len(values)]
    return out


def remove_baseline(signal: NDArray[np.int64], rate: int) -> NDArray[np.int64]:
    """The signal less its mean over 0.6 s, taken twice; int64 ``[n]``."""
    length = _samples(BASELINE, rate) // 2 * 2 + 1
    mean = signal
    for _ in range(2):
        mean = moving_sum(mean, length) // length
    return signal - mean


def find_beats(signal: NDArray[np.int64], rate: int) -> NDArray[np.int64]:
    """Indices of beats, increasing; int64 ``[k]``."""
    narrow = _samples(NARROW, rate) // 2 * 2 + 1
    wide = max(_samples(WIDE, rate) // 2 * 2 + 1, narrow + 2)
    centred = signal - int(signal.sum()) // len(signal)
    similarity = moving_sum(centred, narrow) * wide - moving_sum(centred, wide) * narrow
    energy = moving_sum(np.abs(similarity), _samples(ENERGY, rate) // 2 * 2 + 1)
    inner = (energy[1:-1] >= energy[:-2]) & (energy[1:-1] > energy[2:])
    peaks = np.flatnonzero(inner) + 1
    if not len(peaks):
        return peaks
    levels = _levels(energy, _samples(LEVEL, rate))
    kept = peaks[SHARE[1] * energy[peaks] >= SHARE[0] * levels[peaks]]
    return _apart(kept, energy, _samples(DISTANCE, rate))


def _levels(energy: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """97th percentile of each stretch of the energy, at most thrice the median of them."""
    number = max(len(energy) // length, 1)
    parts = [energy[i * length : (i + 1) * length] for i in range(number)]
    parts[-1] = energy[(number - 1) * length :]
    found = np.array([np.sort(part)[97 * (len(part) - 1) // 100] for part in parts])
    found = np.minimum(found, 3 * np.sort(found)[(number - 1) // 2])
    stretch = np.minimum(np.arange(len(energy)) // length, number - 1)
    levels: NDArray[np.int64] = found[stretch]
    return levels


def _apart(peaks: NDArray[np.int64], energy: NDArray[np.int64], distance: int) -> NDArray[np.int64]:
    """Greedily by energy: keep a peak, drop all within the distance."""
    order = peaks[np.argsort(-energy[peaks], kind="stable")]
    taken = np.zeros(len(energy), np.bool_)
    kept = []
    for peak in order.tolist():
        if not taken[peak]:
            kept.append(peak)
            taken[max(0, peak - distance) : peak + distance + 1] = True
    return np.array(sorted(kept), np.int64)
