"""What the transform coder remembers of a lead, and the sizes that follow from the rate."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from san_stream.coding import band_prediction, coefficients
from san_stream.coding.adaptive_kernels import NOTES_SIZE, PENDING_SIZE
from san_stream.coding.beats import BEAT_MEMORY, BEATS_MODEL, MOST_KERNELS, SETTINGS_SIZE
from san_stream.coding.cosine_tables import LONGEST_LOG
from san_stream.coding.frame_block import FRAMES_MEMORY, HALVINGS_MODEL
from san_stream.coding.kernel_updates import CORRECTION_REST, CORRECTION_SLOTS, FIRST_CHANCE
from san_stream.coding.numbers import EVEN, NUMBER_SIZE, bit_length
from san_stream.coding.transform_block import FOUND_SIZE
from san_stream.coding.wavelet import MOST_BANDS

if TYPE_CHECKING:
    from fractions import Fraction

    from san_stream.coding.core import Core

SHORTEST_KERNEL: Final = 16
LONGEST_KERNEL: Final = 1024
LONGEST: Final = 1 << 24
SHORTEST_FRAME_LOG: Final = 4

Spike = tuple[int, int, int, int]
"""Time (relative to the block), kernel, amplitude (1/16 octave), quarters of a sample."""


def beat_settings(rate: Fraction, late: int, kernels: int) -> list[int]:
    """The settings of `beats` that follow from the rate; no kernels where they cannot be.

    In order: a kernel lasts 0.8 s, 0.3 s of it before its spike; the first gap expected is
    0.8 s, the shortest 0.125 s, 0.2 s in a later lead; spikes of two leads are one beat
    within 1/12 s; the search reaches 1/36 s; phases begin 4/9 s before a spike and last
    4/3 s; ends fade over 0.096 s and are told from 1/30 s; changes of the gap are classed at
    1/90, 1/30 and 1/9 s.
    """

    def samples(numerator: int, denominator: int) -> int:
        number = numerator * rate.numerator // (denominator * rate.denominator)
        return min(max(number, 1), LONGEST)

    length = samples(8, 10)
    if not SHORTEST_KERNEL <= length <= LONGEST_KERNEL:
        return [0] * SETTINGS_SIZE
    return [
        length, samples(3, 10), late, kernels, samples(8, 10), samples(1, 8), samples(2, 10),
        samples(1, 12), samples(1, 36), samples(4, 9), samples(4, 3), samples(96, 1000),
        samples(1, 30), samples(1, 90), samples(1, 30), samples(1, 9),
    ]  # fmt: skip


def whole_frame_log(rate: Fraction) -> int:
    """Log2 of the cosine transform's frame: the longest below 2 s, of 16 to 256 samples.

    Rhythms of an EEG keep their frequency about so long.
    """
    longest = bit_length(2 * rate.numerator // rate.denominator) - 1
    return min(max(longest, SHORTEST_FRAME_LOG), LONGEST_LOG)


def transform_models(core: Core) -> tuple[Any, ...]:
    """Models and memory of the transform of one lead, as `code_block` takes them."""
    words, integers = core.words, core.integers
    slots = words(coefficients.COEFFICIENT_SLOTS, 0)
    weights = words(coefficients.COEFFICIENT_WEIGHTS, 0)
    maps = words(coefficients.COEFFICIENT_MAPS, 0)
    signs = words(coefficients.SIGN_SLOTS, 0)
    means = integers(coefficients.MEANS_SIZE, 0)
    band = integers(band_prediction.BAND_MEMORY, 0)
    core.start_coefficients(slots, weights, maps, signs, means)
    core.start_band(band)
    rest = integers(coefficients.REST_SIZE, EVEN), integers(coefficients.REST_SIZE, 0)
    return (slots, weights, maps, signs, means, *rest, band)


def transform_work(block: int, core: Core) -> tuple[Any, ...]:
    """Room that `code_block` needs, for blocks of this length at most."""
    make = core.integers
    return (
        *(make(block, 0) for _ in range(5)),
        make(MOST_BANDS + 1, 0),
        make(MOST_BANDS + 1, 0),
        make(FOUND_SIZE, 0),
        make(coefficients.CONTEXTS, 0),
        make(band_prediction.BAND_WORK, 0),
        make(band_prediction.TAPS**2, 0),
        make(band_prediction.TAPS, 0),
    )


def frame_models(core: Core) -> tuple[Any, ...]:
    """What the cosine transform of one lead has besides the models of the wavelet."""
    make = core.integers
    return make(FRAMES_MEMORY, 0), make(HALVINGS_MODEL, EVEN), make(HALVINGS_MODEL, 0)


def cosine_work(work: tuple[Any, ...]) -> tuple[Any, ...]:
    """Of the same room what `code_cosine_block` needs."""
    levels, given, _, frame, _, _, _, found, inputs, *_ = work
    return levels, given, frame, found, inputs


@dataclass(slots=True)
class LeadState:
    """All that is learned or remembered of one lead.

    Attributes:
        model, memory: of the spikes. kernels, notes: what is learned of beats.
        live, units, steep: what follows from the kernels at the block's step.
        corrections: models of the kernels' corrections.
        transform: models of the transform. level_model: of the run's level.
        frames: memory and models of the cosine transform alone.
        prediction: of the spikes, from the block's first sample on, 1/16 ADC unit.
        rest: signal minus prediction, a kernel's length before the block, and the block.
        wanted: the same of the signal to be coded; the encoder's.
        pending, placed: spikes whose beats are not complete, and their kernels.
        phases: of the block's samples. level: of the run. fresh: it is not coded yet.
        new: no block is coded since the reset.
        waiting: pending spikes. spikes: of the block. recent: those of the block before that
            may still guide another lead.
        distortion, bits: of the block: squared error in steps² / 65536, what it took.
        start: with which the lead began; with `COSINE` there are no spikes.
    """

    model: tuple[Any, Any]
    memory: Any
    kernels: Any
    notes: Any
    live: Any
    units: Any
    steep: Any
    corrections: tuple[Any, Any, Any]
    transform: tuple[Any, ...]
    frames: tuple[Any, ...]
    level_model: tuple[Any, Any]
    prediction: Any
    rest: Any
    wanted: Any
    pending: Any
    placed: Any
    phases: Any
    level: int = 0
    fresh: bool = True
    new: bool = True
    waiting: int = 0
    spikes: list[Spike] = field(default_factory=list)
    recent: list[Spike] = field(default_factory=list)
    distortion: int = 0
    bits: int = 0
    start: int = 0

    def learned(self) -> dict[str, Any]:
        """The stores that learn what one signal shares with others, by name."""
        return {
            **learned_of_transform(self.transform),
            "beats": self.model,
            "corrections": self.corrections[0],
            "sizes": self.corrections[1:],
            "level": self.level_model,
        }


def learned_of_transform(models: tuple[Any, ...]) -> dict[str, Any]:
    """Those of the transform alone."""
    slots, weights, _, signs, means, *rest, _ = models
    return {
        "slots": slots,
        "weights": weights,
        "signs": signs,
        "means": means,
        "rest": tuple(rest),
    }


def lead_state(
    core: Core, length: int, block: int, late: int, kernels: int, room: int
) -> LeadState:
    """The initial state of a lead.

    Args:
        length: of a kernel. block, late: of the stream. kernels: a lead. room: for spikes
            whose beats are not complete.
    """
    make = core.integers
    return LeadState(
        model=(make(BEATS_MODEL, EVEN), make(BEATS_MODEL, 0)),
        memory=make(BEAT_MEMORY, 0),
        kernels=make(kernels * length, 0),
        notes=make(NOTES_SIZE, 0),
        live=make(MOST_KERNELS, 0),
        units=make(MOST_KERNELS, 1),
        steep=make(MOST_KERNELS, 0),
        corrections=(
            make(CORRECTION_SLOTS, FIRST_CHANCE),
            make(CORRECTION_REST, EVEN),
            make(CORRECTION_REST, 0),
        ),
        transform=transform_models(core),
        frames=frame_models(core),
        level_model=(make(NUMBER_SIZE, EVEN), make(NUMBER_SIZE, 0)),
        prediction=make(block + late + length, 0),
        rest=make(length + block, 0),
        wanted=make(length + block, 0),
        pending=make(room * PENDING_SIZE, 0),
        placed=make((room + 1) * length, 0),
        phases=make(block, 0),
    )
