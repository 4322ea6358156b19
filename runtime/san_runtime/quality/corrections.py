"""What the encoder knows of its true beats: which corrections of kernels are worth sending.

Sums over the beats of each kernel, in the wavelet domain, since its last corrections. All of
it is elementwise + − × ÷ √ on float64, which every machine rounds alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from san_stream.coding.adaptive_kernels import USES
from san_stream.coding.kernel_updates import MOST_USES, USES_FACTOR
from san_stream.coding.steps import STRENGTH
from san_stream.coding.wavelet import MOST_BANDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from san_stream.coding.quality import QualityCoder
    from san_stream.coding.quality_state import LeadState

LEAST_BEATS: Final = 2
KEPT: Final = 0.9
"""Of the sums, behind each time that a correction was due."""
SMALLEST_SHARE: Final = 0.2
LARGEST_SHARE: Final = 5.0
"""Beats of 0.2 to 5 times the kernel's size count."""
SPREAD_WEIGHT: Final = 13.0
"""Where beats differ by more than a step the rest is coded anyway: 1 / (1 + 13 (σ / step)³)."""
WORTH_BITS: Final = 5
WORTH_COUNT: Final = 2
"""A correction is sent for more than two coefficients that are worth five bits each."""
WINDOW: Final = 2  # neighbours on each side over which a spread is averaged


class Sums:
    """Beats of one kernel, of amplitudes a and coefficients w: Σ a w, Σ w², Σ a², how many."""

    def __init__(self, length: int) -> None:
        self.first = np.zeros(length)
        self.second = np.zeros(length)
        self.squares = 0.0
        self.number = 0.0
        self.uses = 0  # all of them

    def add(self, amplitude: float, beat: NDArray[np.float64]) -> None:
        """Take a beat."""
        self.first += amplitude * beat
        self.second += beat * beat
        self.squares += amplitude * amplitude
        self.number += 1
        self.uses += 1

    def fade(self) -> None:
        """Let what was counted weigh less."""
        self.first *= KEPT
        self.second *= KEPT
        self.squares *= KEPT
        self.number *= KEPT


class Corrections:
    """Sums of all kernels of a stream, and what follows from them.

    Args:
        coder: whose kernels they are.
    """

    def __init__(self, coder: QualityCoder) -> None:
        core, length = coder.core, coder.length
        self._coder = coder
        self._sums: dict[tuple[int, int], Sums] = {}
        make = core.integers
        self._work = make(length, 0)
        self._offsets, self._lengths = make(MOST_BANDS + 1, 0), make(MOST_BANDS + 1, 0)
        self._steps = make(MOST_BANDS + 1, 0)

    def reset(self) -> None:
        """Forget all beats."""
        self._sums = {}

    def watch(self, lead: int, kernel: int, beat: Any, *, born: bool) -> None:
        """A beat (1/16 ADC unit, its original) taught this kernel."""
        if born:
            self._sums.pop((lead, kernel), None)
        length = self._coder.length
        shape = self._coder.states[lead].kernels[kernel * length : (kernel + 1) * length]
        base = np.array(shape, np.float64) / 256
        true = np.array(beat, np.float64) / 16
        energy = _total(base * base)
        if not energy:
            return
        amplitude = _total(base * true) / energy
        if SMALLEST_SHARE < amplitude < LARGEST_SHARE:
            sums = self._sums.setdefault((lead, kernel), Sums(length))
            sums.add(amplitude, self.bands(beat, 16))

    def correction(self, lead: int, kernel: int, step: int, fine: int) -> tuple[int, Any, Any]:
        """Whether to send one, its coefficients (1/256 ADC unit), their weights (1/65536).

        Args:
            step: of the quantiser, 1/16 ADC unit. fine: of the correction, 1/256.
        """
        coder = self._coder
        own, length, listed = coder.states[lead], coder.length, coder.core.listed
        sums = self._sums.get((lead, kernel))
        nothing = np.zeros(length, np.int64)
        if sums is None:
            return 0, listed(nothing), listed(nothing)
        due = sums.number >= LEAST_BEATS and sums.squares > 0
        out = self._judge(own, kernel, sums, step / 16, fine / 256) if due else None
        sums.fade()
        if out is None:
            return 0, listed(nothing), listed(nothing)
        return 1, listed(out[0]), listed(out[1])

    def uses(self, lead: int, kernel: int) -> int:
        """How many beats a kernel had since it was born or given."""
        sums = self._sums.get((lead, kernel))
        return sums.uses if sums is not None and sums.squares > 0 else 0

    def mean_beat(
        self, own: LeadState, lead: int, kernel: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """A kernel's beats of amplitude 1, as far as they are certain, and their variances."""
        length, sums = self._coder.length, self._sums[lead, kernel]
        shape = self.bands(own.kernels[kernel * length : (kernel + 1) * length], 256)
        missing, spread = self._missing(sums, shape)
        return shape + missing, spread

    def coefficients(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """Values of an orthonormal transform in ADC units as the codec's, 1/256 ADC unit."""
        limit = float(1 << 37)
        whole = np.rint(np.clip(values / self._gains() * 256, -limit, limit))
        return whole.astype(np.int64)

    @staticmethod
    def weights(
        spread: NDArray[np.float64], uses: int, step: float, fine: float
    ) -> NDArray[np.float64]:
        """What a squared error in fine steps is worth, in that of a signal's step.

        Args:
            spread: variance of beats. uses: to come. step: of the quantiser. fine: of the
                correction; all in ADC units.
        """
        ratio = np.sqrt(spread) / step
        weights: NDArray[np.float64] = uses / (1 + SPREAD_WEIGHT * ratio * ratio * ratio)
        return weights * ((fine / step) * (fine / step))

    def _missing(
        self, sums: Sums, shape: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What a kernel lacks of its mean beat, less the more uncertain it is; variances."""
        missing = sums.first / sums.squares - shape
        spread = np.maximum(sums.second - sums.first * sums.first / sums.squares, 0.0)
        spread = self._smooth(spread / max(sums.number - 1, 1.0))
        certain = 1 - spread / sums.number / (missing * missing + 1e-9)
        return missing * np.maximum(certain, 0.0), spread

    def _judge(
        self, own: LeadState, kernel: int, sums: Sums, step: float, fine: float
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        length = self._coder.length
        uses = min(int(own.notes[USES + kernel]) * USES_FACTOR, MOST_USES)
        shape = own.kernels[kernel * length : (kernel + 1) * length]
        missing, spread = self._missing(sums, self.bands(shape, 256))
        weights = self.weights(spread, uses, step, fine)
        in_steps = missing / fine
        worth = in_steps * in_steps * weights > STRENGTH / 65536 * WORTH_BITS
        if np.count_nonzero(worth) <= WORTH_COUNT:
            return None
        return (
            self.coefficients(missing),
            np.rint(np.minimum(weights, 2.0) * 65536).astype(np.int64),
        )

    def bands(self, values: Any, unit: int) -> NDArray[np.float64]:
        """Coefficients of a beat in ADC units, as those of an orthonormal transform."""
        core, length = self._coder.core, self._coder.length
        copied = core.listed(values)
        core.kernel_bands(copied, length, self._work, self._offsets, self._lengths, self._steps)
        return np.array(copied, np.float64) / unit * self._gains()

    def _gains(self) -> NDArray[np.float64]:
        """Gain of each coefficient's band."""
        gains = np.zeros(self._coder.length)
        for offset, length, step in zip(self._offsets, self._lengths, self._steps, strict=True):
            if step:
                gains[offset : offset + length] = 4096 / step
        return gains

    def _smooth(self, spread: NDArray[np.float64]) -> NDArray[np.float64]:
        """Means over neighbours inside each band, its ends repeated."""
        out = spread.copy()
        for offset, length, step in zip(self._offsets, self._lengths, self._steps, strict=True):
            if step and length > WINDOW:
                band = np.pad(spread[offset : offset + length], WINDOW, mode="edge")
                total = np.zeros(length)
                for i in range(2 * WINDOW + 1):
                    total = total + band[i : i + length]
                out[offset : offset + length] = total / (2 * WINDOW + 1)
        return out


def _total(values: NDArray[np.float64]) -> float:
    """Their sum, added up one by one."""
    return float(np.cumsum(values)[-1])
