"""Which kernels the encoder gives behind a reset, and how exactly.

A kernel that the beats before have used often will be used often again: its true mean beat is
cheaper sent once than learned anew from decoded beats. Where a stream begins, a
trained model's kernels may stand in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from san_runtime.quality.model_kernels import first_kernels
from san_stream.coding.adaptive_kernels import BEATS
from san_stream.coding.beats import NUMBER
from san_stream.coding.range_coder import STATE_SIZE
from san_stream.coding.steps import STRENGTH
from san_stream.coding.wavelet import MOST_BANDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from san_runtime.quality.corrections import Corrections
    from san_stream.coding.quality import QualityCoder
    from san_stream.coding.quality_state import LeadState
    from san_stream.kernels import Kernel

LEAST_USES: Final = 30
"""Between two resets. What is used less costs as much to send as to learn."""
FINER: Final = (16, 64, 256)
"""Uses from which a kernel is sent at the next finer step."""
MODEL_USES: Final = 1
"""As many a trained model's kernel counts: the first beats are worth more than it."""
LARGEST_WEIGHT: Final = 4.0
BYTES_A_VALUE: Final = 16  # room for a coefficient, more than the largest level takes


@dataclass(frozen=True, slots=True)
class Given:
    """A kernel to be sent: fineness, coefficients (1/256 ADC unit), weights (1/65536)."""

    fineness: int
    wanted: Any
    weights: Any


class GivenKernels:
    """Kernels that outlast a reset.

    Args:
        coder: whose kernels they are. corrections: knows the true beats of each.
        model: trained kernels a lead; none: there is no model.
    """

    def __init__(
        self,
        coder: QualityCoder,
        corrections: Corrections,
        model: Sequence[Sequence[Kernel]] = (),
    ) -> None:
        core, length = coder.core, coder.length
        make = core.integers
        self._coder = coder
        self._corrections = corrections
        self._model = model
        self._states: list[LeadState] | None = None
        self._begins = True
        self._kept: dict[int, list[tuple[int, NDArray[np.float64], NDArray[np.float64]]]] = {}
        self._given: dict[int, list[Given]] = {}
        self._known: dict[int, tuple[Any, Any]] = {}
        self._room = (
            *(make(length, 0) for _ in range(3)),
            make(MOST_BANDS + 1, 0),
            make(MOST_BANDS + 1, 0),
        )
        room = BYTES_A_VALUE * length * coder.settings[NUMBER]
        self._scratch = make(STATE_SIZE, 0), core.octets(max(room, 1))

    def follow(self) -> None:
        """The next block begins; behind a reset keep what the beats before it have taught."""
        coder = self._coder
        self._given, self._known = {}, {}
        if coder.states is self._states:
            return
        self._kept = {}
        self._begins = self._states is None
        for lead, own in enumerate(self._states or ()):
            found = [
                (uses, *self._corrections.mean_beat(own, lead, kernel))
                for kernel in range(coder.settings[NUMBER])
                if own.notes[BEATS + kernel] > 0
                and (uses := self._corrections.uses(lead, kernel)) >= LEAST_USES
            ]
            self._kept[lead] = sorted(found, key=lambda entry: -entry[0])
        self._states = coder.states
        self._corrections.reset()

    def prepare(
        self, lead: int, step: int, signal: NDArray[np.int64], beats: NDArray[np.int64]
    ) -> None:
        """Decide what is given, before a lead's first spikes behind a reset are chosen.

        Args:
            step: of the quantiser, 1/16 ADC unit. signal: int64 ``[n]``, what is known of it,
                without its baseline. beats: indices of beats in it.
        """
        coder, own = self._coder, self._coder.states[lead]
        if not own.new:
            return
        kept = self._kept.get(lead) or self._from_model(lead, signal, beats)
        if not kept:
            return
        core = coder.core
        kernels, notes = own.kernels.copy(), own.notes.copy()
        models = [store.copy() for store in own.corrections]
        core.start_encoder(self._scratch[0])
        self._given[lead] = []
        for kernel, (uses, mean, spread) in enumerate(kept):
            fineness = sum(uses >= bound for bound in FINER)
            fine = core.given_step(step, fineness)
            wanted = self._corrections.coefficients(mean)
            weights = self._corrections.weights(spread, uses, step / 16, fine / 256)
            whole = np.rint(np.minimum(weights, LARGEST_WEIGHT) * 65536).astype(np.int64)
            given = Given(fineness, core.listed(wanted), core.listed(whole))
            self._given[lead].append(given)
            core.code_given(
                *self._scratch, *models, kernels, notes, kernel, coder.length, step, STRENGTH,
                given.fineness, given.wanted, given.weights, *self._room,
            )  # fmt: skip
        self._known[lead] = kernels, notes

    def _from_model(
        self, lead: int, signal: NDArray[np.int64], beats: NDArray[np.int64]
    ) -> list[tuple[int, NDArray[np.float64], NDArray[np.float64]]]:
        """A trained model's kernels in the form of those that are kept."""
        if not self._model or not self._begins:
            return []
        coder = self._coder
        kernels = self._model[lead][: coder.settings[NUMBER]]
        shapes = first_kernels(kernels, signal, beats, coder.before, coder.length)
        certain = np.zeros(coder.length)
        return [(MODEL_USES, self._corrections.bands(shape, 256), certain) for shape in shapes]

    def known(self, lead: int) -> tuple[Any, Any]:
        """Kernels of a lead and the notes on them, as the block's spikes will find them."""
        own = self._coder.states[lead]
        return self._known.get(lead, (own.kernels, own.notes))

    def given(self, lead: int, kernel: int) -> tuple[int, Any, Any]:
        """What `QualityCoder` asks: fineness, or -1 for no more; coefficients; weights."""
        found = self._given.get(lead, [])
        if kernel >= len(found):
            nothing = self._coder.core.integers(self._coder.length, 0)
            return -1, nothing, nothing
        return found[kernel].fineness, found[kernel].wanted, found[kernel].weights
