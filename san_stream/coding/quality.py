"""Blocks of quality and bounded: beats predicted by adapted kernels, the rest transformed.

Of each lead: the run's level where it begins, the spikes, the transform of what they leave;
then the beats that are complete teach the kernels. Encoder and decoder share every line; the
encoder gives the spikes, and what it knows of the kernels, from outside.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from san_stream.coding import coefficients
from san_stream.coding.adaptive_kernels import (
    BEATS,
    NEXT_SLOT,
    PENDING_SIZE,
    SINCE,
    SLOT,
)
from san_stream.coding.beats import (
    BEAT_SIZE,
    BEATS_MODEL,
    LAST,
    MOST_KERNELS,
    QUARTER,
    SEEN,
    TIME,
)
from san_stream.coding.frame_block import FRAMES_MEMORY, HALVINGS_MODEL
from san_stream.coding.frame_choice import cheapest_halvings
from san_stream.coding.numbers import NUMBER_SIZE
from san_stream.coding.quality_state import (
    LeadState,
    Spike,
    beat_settings,
    cosine_work,
    lead_state,
    transform_work,
    whole_frame_log,
)
from san_stream.coding.range_coder import ERROR, STATE_SIZE
from san_stream.coding.sent_kernels import KernelSender
from san_stream.coding.starts import (
    COSINE,
    TRANSFORM_STARTS,
    UNTRAINED,
    begin_transforming,
    code_start,
)
from san_stream.coding.steps import STRENGTH
from san_stream.types import INT32_MAX, INT32_MIN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from san_stream.coding.core import Core
    from san_stream.coding.sent_kernels import Advice
    from san_stream.types import Lead

TRIAL_BYTES: Final = (8, 4096)
"""Of a buffer that nobody reads and that must not run full: a sample, in all."""
UNTRAINED_HANDICAP: Final = 16
"""Bits that an untrained start must save in the first block: a trained one goes on saving."""
COSINE_BITS: Final = 9
"""Tenths of a bit a sample that the untrained wavelet takes at least where the cosine transform
is taken."""
COSINE_COST: Final = 101
"""Percent of the untrained wavelet's cost below which the cosine transform is taken."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What a block has of one lead.

    Attributes:
        lead: its index. count: samples. step: of the quantiser, 1/16 ADC unit.
        samples: a store; those of the decoder once it is coded.
        given: spikes (encoding). advice: the encoder's. decoding: the direction.
    """

    lead: int
    count: int
    step: int
    samples: Any
    given: Sequence[Spike]
    advice: Advice | None
    decoding: bool


class QualityCoder:
    """Codes blocks of all leads of a stream.

    Args:
        rate: Hz. leads: of the stream. block: its largest length in samples.
        late: a block's spikes lie from this many samples behind its first one, up to as many
            behind its end. core: the coding functions. kernels: a lead, 8 at most.
        trained: whether leads may start from learned tables.

    Attributes:
        rate: Hz, rounded. settings: of the spikes. length: of a kernel, 0 where there are none.
        states: of each lead, from the first reset on. most: spikes in a block.
        starts: those that an encoder tries, of each lead.
        trained: as given.
    """

    def __init__(
        self,
        rate: Fraction,
        leads: Sequence[Lead],
        block: int,
        late: int,
        core: Core,
        *,
        kernels: int = MOST_KERNELS,
        trained: bool = False,
    ) -> None:
        self.trained = trained
        self.core = core
        self.block = block
        self.late = late
        self.rate = max(round(rate), 1)
        settings = beat_settings(rate, late, kernels)
        self.settings = core.listed(settings)
        self.length, self.before = settings[0], settings[1]
        self.most = block // max(settings[5], 1) + 2 if self.length else 0
        self._kernels = kernels
        self._leads = leads
        self.starts: list[Sequence[int]] = [TRANSFORM_STARTS for _ in leads]
        self._frame_log = whole_frame_log(rate)
        self._nearby = 2 * settings[7]
        self._slots = 3 * block // max(self.length, 1) + 8 if self.length else 1
        self.release()

    @staticmethod
    def memory(rate: Fraction, leads: int, block: int, *, kernels: int = MOST_KERNELS) -> int:
        """About how many bytes the stores take."""
        length = beat_settings(rate, 0, kernels)[0]
        words = coefficients.COEFFICIENT_SLOTS + coefficients.COEFFICIENT_WEIGHTS
        words += coefficients.COEFFICIENT_MAPS
        integers = coefficients.MEANS_SIZE + 2 * coefficients.REST_SIZE + 2 * NUMBER_SIZE
        integers += FRAMES_MEMORY + 2 * HALVINGS_MODEL
        integers += 2 * BEATS_MODEL + (kernels + 16) * length + 7 * block
        return leads * (4 * words + 8 * integers) + 120 * block

    def release(self) -> None:
        """Free all stores."""
        self.states: list[LeadState] = []
        self._work: tuple[Any, ...] = ()
        self._starting = False

    def reset(self) -> None:
        """Return to the initial tables."""
        make = self.core.integers
        self._work = transform_work(self.block, self.core)
        self._beats = make(BEAT_SIZE * (self.most + 1), 0)
        self._beat = make(BEAT_SIZE, 0)
        self._values, self._moved = make(self.length, 0), make(self.length, 0)
        self._found, self._learned = make(3, 0), make(self._slots, 0)
        self._sender = KernelSender(self.core, self.length, self._kernels)
        self.states = [self._make_state() for _ in self._leads]
        self._starting = self.trained

    def _make_state(self) -> LeadState:
        core = self.core
        state = lead_state(core, self.length, self.block, self.late, self._kernels, self._slots)
        core.start_beats(state.memory, *state.model, self.settings)
        return state

    def restart(self) -> None:
        """A run begins."""
        for own in self.states:
            self._restart(own)

    def _restart(self, own: LeadState) -> None:
        core = self.core
        core.restart_beats(own.memory, self.settings)
        core.restart_band(own.transform[-1], 0)
        core.restart_frames(own.frames[0])
        for store in (own.prediction, own.rest, own.wanted):
            core.slide(store, len(store))
        own.notes[SINCE] = own.notes[NEXT_SLOT] = 0
        own.fresh = True
        own.waiting = 0
        own.spikes, own.recent = [], []

    def code(
        self,
        state: Any,
        buffer: Any,
        count: int,
        steps: Sequence[int],
        samples: list[Any],
        beats: Sequence[Sequence[Spike]] | None,
        advice: Advice | None,
        *,
        decoding: bool,
    ) -> None:
        """Code a block of `count` samples.

        Args:
            state, buffer: of the range coder. steps: quantiser's step a lead, 1/16 ADC unit.
            samples: stores a lead; on return those of the decoder.
            beats: spikes a lead (encoding); `states` has those that were read.
            advice: the encoder's. decoding: the direction.
        """
        core = self.core
        for lead, own in enumerate(self.states):
            before = core.spent_bits(state)
            given = beats[lead] if beats else ()
            part = Part(lead, count, steps[lead], samples[lead], given, advice, decoding)
            if self._starting:
                start = UNTRAINED if decoding else self._cheapest_start(part)
                own.start = code_start(state, buffer, start, TRANSFORM_STARTS, core)
                begin_transforming(own.learned(), own.start, core)
            self._code_lead(own, part, state, buffer)
            self._learn(own, part)
            if self.length:
                self._sender.correct(own, lead, state, buffer, part.step, advice)
            own.bits = core.spent_bits(state) - before
            if state[ERROR]:
                return
        self._starting = False
        for own in self.states:
            own.recent = [
                (spike[0] - count, *spike[1:])
                for spike in (*own.recent, *own.spikes)
                if spike[0] - count >= self.late - self._nearby
            ]

    def guide(self, lead: int, chosen: Sequence[Sequence[Spike]]) -> tuple[Any, int]:
        """Spikes of the nearest lead before this one that has any, and how many.

        Args:
            chosen: of this block, of the leads before.
        """
        for other in range(lead - 1, -1, -1):
            if chosen[other]:
                spikes = [*self.states[other].recent, *chosen[other]]
                return self.core.listed([v for spike in spikes for v in spike]), len(spikes)
        return self._beat, 0

    # -- parts -------------------------------------------------------------------------

    def _code_lead(self, own: LeadState, part: Part, state: Any, buffer: Any) -> None:
        """All but what is learned of it."""
        if own.fresh:
            self._code_level(own, part, state, buffer)
        if own.new and self.length and own.start != COSINE:
            self._sender.give(own, part.lead, state, buffer, part.step, part.advice)
        own.new = False
        self._code_spikes(own, part, state, buffer)
        self._code_rest(own, part, state, buffer)

    def _cheapest_start(self, part: Part) -> int:
        """The start under which the block costs least by error plus λ · bits.

        The cosine transform is compared with the other one where both are untrained, and only
        where nothing recurs and the signal is not all but silent: what kernels will be worth,
        and contexts in long runs of zeros, the first block does not tell.
        """
        allowed = self.starts[part.lead]
        if len(allowed) == 1:
            return allowed[0]
        starts = [start for start in allowed if start != COSINE or not part.given]
        costs, bits = {}, {}
        for start in starts:
            costs[start], bits[start] = self._start_cost(part, start)
        if {COSINE, UNTRAINED} <= costs.keys():
            busy = bits[UNTRAINED] * 10 >= COSINE_BITS * part.count
            if busy and costs[COSINE] * 100 < costs[UNTRAINED] * COSINE_COST:
                return COSINE
        handicap = {UNTRAINED: UNTRAINED_HANDICAP * STRENGTH}
        others = [start for start in starts if start != COSINE]
        return min(others, key=lambda start: costs[start] + handicap.get(start, 0))

    def _start_cost(self, part: Part, start: int) -> tuple[int, int]:
        """Error plus λ · bits of the block under a start, and its bits."""
        core, own = self.core, self._make_state()
        own.start = start
        self._restart(own)
        begin_transforming(own.learned(), start, core)
        state = core.integers(STATE_SIZE, 0)
        buffer = core.octets(TRIAL_BYTES[0] * part.count + TRIAL_BYTES[1])
        core.start_encoder(state)
        self._code_lead(own, replace(part, samples=core.listed(part.samples)), state, buffer)
        bits = int(core.spent_bits(state))
        return int(own.distortion) + STRENGTH * bits, bits

    def _code_level(self, own: LeadState, part: Part, state: Any, buffer: Any) -> None:
        own.fresh = False
        samples, reference = part.samples, self._leads[part.lead].baseline
        mean = int(sum(int(v) for v in samples)) // len(samples)
        apart = self.core.code_signed(state, buffer, *own.level_model, 0, mean - reference)
        own.level = min(max(int(reference + apart), INT32_MIN), INT32_MAX)

    def _code_spikes(self, own: LeadState, part: Part, state: Any, buffer: Any) -> None:
        core = self.core
        seen, last = own.memory[SEEN], own.memory[LAST]
        own.spikes = []
        if self.length and own.start != COSINE:
            core.judge_kernels(
                own.kernels, own.notes, self.settings, part.step, own.live, own.units, own.steep
            )
            for i, value in enumerate(v for spike in part.given for v in spike):
                self._beats[i] = value
            guide = self.guide(part.lead, [other.spikes for other in self.states[: part.lead]])
            found = core.code_beats(
                state, buffer, *own.model, own.memory, self.settings, own.live, own.units,
                own.steep, *guide, part.count + self.late, self._beats, len(part.given), self.most,
                own.kernels, own.notes, own.prediction, own.pending, own.waiting, own.placed,
                self._beat, self._values, self._moved,
            )  # fmt: skip
            own.waiting = min(own.waiting + found, self._slots)
            flat = [int(v) for v in self._beats[: found * BEAT_SIZE]]
            own.spikes = [
                (flat[i], flat[i + 1], flat[i + 2], flat[i + 3]) for i in range(0, len(flat), 4)
            ]
        core.fill_phases(
            own.phases, part.count, seen, last, self._beats, len(own.spikes), self.settings
        )

    def _code_rest(self, own: LeadState, part: Part, state: Any, buffer: Any) -> None:
        core, place = self.core, self._leads[part.lead]
        count, step, samples = part.count, part.step, part.samples
        target, output = core.integers(count, 0), core.integers(count, 0)
        if not part.decoding:
            core.make_target(samples, own.level, own.prediction, target)
            core.keep_rest(own.wanted, self.length, target)
        if own.start == COSINE:
            models = (*own.transform[:-1], *own.frames)
            setting, work = (self._frame_log, step, STRENGTH), cosine_work(self._work)
            halvings = (
                0 if part.decoding else cheapest_halvings(target, *setting, models, work, core)
            )
            own.distortion = core.code_cosine_block(
                state, buffer, target, self._frame_log, halvings, step, STRENGTH, output,
                *models, *work,
            )  # fmt: skip
        else:
            own.distortion = core.code_block(
                state, buffer, target, own.prediction, own.phases, step, STRENGTH, output,
                *own.transform, *self._work,
            )  # fmt: skip
        core.show_samples(samples, own.level, own.prediction, output, place.minimum, place.maximum)
        core.keep_rest(own.rest, self.length, output)

    def _learn(self, own: LeadState, part: Part) -> None:
        core, count = self.core, part.count
        done = 0
        if own.waiting:
            done = core.learn_block(
                own.rest, count, own.kernels, own.notes, own.memory, self.settings, own.pending,
                own.waiting, own.placed, self._values, self._moved, self._found, self._learned,
            )  # fmt: skip
        if part.advice is not None and not part.decoding:
            for i in range(done):
                self._report(own, part.lead, i, part.advice)
            core.slide(own.wanted, count)
        core.end_block(
            count, own.memory, own.notes, own.pending, done, own.waiting, own.prediction, own.rest
        )
        own.waiting -= done

    def _report(self, own: LeadState, lead: int, i: int, advice: Advice) -> None:
        """Tell the encoder of a beat that taught a kernel."""
        kernel = int(self._learned[i])
        if kernel < 0:
            return
        entry = own.pending[i * PENDING_SIZE : (i + 1) * PENDING_SIZE]
        self.core.gather_beat(
            own.wanted, self.settings, entry[TIME] - self.before, entry[QUARTER], own.placed,
            entry[SLOT] * self.length, self._values, self._moved,
        )  # fmt: skip
        advice.watch(lead, kernel, self._values, born=own.notes[BEATS + kernel] == 1)
