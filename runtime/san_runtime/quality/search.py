"""Which spikes a block gets, by error plus λ times bits, lead by lead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from san_runtime.quality.corrections import Corrections
from san_runtime.quality.detector import find_beats, remove_baseline
from san_runtime.quality.given import GivenKernels
from san_runtime.quality.likeness import Likeness, likeness
from san_runtime.quality.shadow import Shadow
from san_stream.coding.adaptive_kernels import SINCE
from san_stream.coding.beat_search import SEARCH_SIZE
from san_stream.coding.beats import BEAT_SIZE, MOST_KERNELS, NUMBER
from san_stream.coding.range_coder import STATE_SIZE
from san_stream.coding.starts import COSINE
from san_stream.coding.steps import STRENGTH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from san_stream.coding.quality import QualityCoder
    from san_stream.coding.quality_state import Spike
    from san_stream.kernels import Kernel

SCRATCH: Final = 256


class BlockSearch:
    """Chooses spikes with the coder's own state; never changes it.

    Args:
        coder: whose next block is to be coded.
        model: a trained model's kernels a lead, with which leads begin; none: no model.
    """

    def __init__(self, coder: QualityCoder, model: Sequence[Sequence[Kernel]] = ()) -> None:
        core, length = coder.core, coder.length
        self._coder = coder
        self._rate = coder.rate
        make = core.integers
        self._corrections = Corrections(coder)
        self.watch = self._corrections.watch
        self.correction = self._corrections.correction
        self._given = GivenKernels(coder, self._corrections, model)
        self.given = self._given.given
        self._shadow = Shadow(coder)
        self._likeness: dict[int, Likeness] = {}
        self._scratch = make(STATE_SIZE, 0), core.octets(SCRATCH)
        self._rooms = make(MOST_KERNELS * length, 0), make(length, 0), make(length, 0)
        self._search, self._beat = make(SEARCH_SIZE, 0), make(BEAT_SIZE, 0)
        self._chosen = make(BEAT_SIZE * (coder.most + 1), 0)
        self._judged = make(MOST_KERNELS, 0), make(MOST_KERNELS, 1), make(MOST_KERNELS, 0)

    def choose(
        self, signal: NDArray[Any], first: int, count: int, steps: Sequence[int]
    ) -> list[list[Spike]]:
        """Spikes of the next block, a list a lead.

        Args:
            signal: int64 ``[n, leads]``, what is known: history, block, look-ahead.
            first: row of the block's first sample. count: samples of the block.
            steps: of the quantiser a lead, 1/16 ADC unit.
        """
        if not self._coder.length:
            return [[] for _ in steps]
        self._given.follow()
        self._shadow.follow(signal[first : first + count], steps)
        chosen: list[list[Spike]] = []
        for lead, step in enumerate(steps):
            spikes: list[Spike] = []
            if self._coder.states[lead].start != COSINE and self._shadow.allows(lead):
                spikes = self._choose(lead, signal[:, lead], first, count, step, chosen)
            chosen.append(spikes)
        return chosen

    def _choose(
        self,
        lead: int,
        signal: NDArray[Any],
        first: int,
        count: int,
        step: int,
        before: list[list[Spike]],
    ) -> list[Spike]:
        coder = self._coder
        core, own, late = coder.core, coder.states[lead], coder.late
        beats, centred = find_beats(signal, self._rate), remove_baseline(signal, self._rate)
        alike = likeness(centred, beats, coder.before, coder.length)
        if not self._likeness.setdefault(lead, Likeness()).follow(alike):
            return []
        self._given.prepare(lead, step, centred, beats)
        found = beats - first
        found = found[(found >= late) & (found < count + late)]
        flat = core.listed(centred[first:] * 16)
        core.subtract(flat, own.prediction)
        kernels, notes = self._given.known(lead)
        core.judge_kernels(kernels, notes, coder.settings, step, *self._judged)
        births = coder.settings[NUMBER] - sum(int(live) for live in self._judged[0])
        model = own.model[0].copy(), own.model[1].copy()
        number = core.choose_beats(
            flat, core.listed(found), len(found), kernels, coder.settings, *self._judged, step,
            STRENGTH, count + late, births, own.notes[SINCE], *model, own.memory.copy(),
            *coder.guide(lead, before), self._chosen, coder.most, *self._rooms, self._search,
            *self._scratch, self._beat,
        )  # fmt: skip
        flat_spikes = [int(v) for v in self._chosen[: number * BEAT_SIZE]]
        return [
            (flat_spikes[i], flat_spikes[i + 1], flat_spikes[i + 2], flat_spikes[i + 3])
            for i in range(0, len(flat_spikes), BEAT_SIZE)
        ]
