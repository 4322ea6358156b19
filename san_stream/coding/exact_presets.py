"""What the presets `max` and `lean` consist of, and the stores of one lead under them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from san_stream.coding.mixed_coder import ACTIVITY_START, restart_mixed
from san_stream.coding.mixed_residual import (
    CONTEXTS,
    MIXED_MAPS,
    MIXED_SLOTS,
    MIXING_SETS,
    SECOND_SET,
)
from san_stream.coding.mixing import MAP_POINTS, SLOT_HALF, start_map
from san_stream.coding.numbers import EVEN, NUMBER_SIZE
from san_stream.coding.predictors import (
    ACTIVITY,
    PREDICTION_MEMORY,
    SCALES,
)

if TYPE_CHECKING:
    from san_stream.coding.core import Core

MOST_REGRESSORS: Final = 64
TEMPLATE_REGRESSORS: Final = 4
SHORTEST_HISTORY: Final = 5  # what contexts and the detector look at
FIRST_SCALE: Final = (12288, 2048)  # of an |error|, in 1/4096 ADC units, and times the step
FIRST_TEMPLATE_ERROR: Final = 8192  # times the step
CONTEXT_WEIGHT: Final = 5000


@dataclass(frozen=True, slots=True)
class MixedPreset:
    """Predictors and laws.

    Attributes:
        predictors: rows of OWN, BEAT, OTHERS, WINDOW, WEIGHTING, PERIOD (see `predictors`).
        laws: pairs of a predictor (as many as there are: the combined one) and a scale.
    """

    predictors: tuple[tuple[int, int, int, int, int, int], ...]
    laws: tuple[int, ...]


COMBINER: Final = (0, 0, 0, 11, 2, 3)
MAX: Final = MixedPreset(
    (
        (16, 1, 1, 9, 1, 5),
        (48, 0, 1, 13, 2, 9),
        (16, 0, 1, 13, 0, 8),
        (24, 1, 1, 11, 2, 7),
        (2, 0, 0, 5, 2, 2),
        (16, 1, 1, 0, 0, -1),
        (32, 1, 1, 2, 0, -1),
    ),
    (7, 2, 7, 3, 7, 4, 0, 0, 1, 1, 2, 0, 3, 1, 4, 0, 5, 0, 6, 0),
)
LEAN: Final = MixedPreset(
    ((24, 1, 1, 11, 2, 7), (16, 0, 1, 13, 0, 8), (32, 1, 1, 2, 0, -1)),
    (3, 2, 3, 3, 3, 4, 0, 0, 1, 0, 2, 0),
)


def make_plan(preset: MixedPreset, others: int, beat: int) -> list[int]:
    """The plan's rows, where each predictor's stretches of the stores begin, combiner last."""
    plan: list[int] = []
    place = matrix = 0
    rows = [*preset.predictors, COMBINER]
    for own, with_beat, with_others, *rest in rows:
        combines = len(plan) == 9 * len(preset.predictors)
        beats = with_beat * beat
        regressed = with_others * others
        extra = 1 + regressed + TEMPLATE_REGRESSORS * beats
        used = own if combines else min(own, MOST_REGRESSORS - extra)
        size = len(preset.predictors) if combines else used + extra
        plan += [used, beats, with_others, *rest, size, place, matrix]
        place += size
        matrix += size * size
    return plan


@dataclass(slots=True)
class MixedLead:
    """The stores of one lead, in the order in which `code_mixed` takes them."""

    stores: tuple[Any, ...] = ()
    memory: Any = None
    first: tuple[Any, Any] = field(default=(None, None))


def make_lead(preset: MixedPreset, others: int, template: int, width: int, core: Core) -> MixedLead:
    """Stores with their initial values.

    Args:
        others: regressors from other leads. template: its length in samples, 0 without a beat.
        width: of the quantiser, 2e + 1.
    """
    number = len(preset.predictors)
    plan = make_plan(preset, others, 1 if template else 0)
    last = plan[-9:]
    places, matrix_size = last[7] + last[6], last[8] + last[6] ** 2
    length = max(SHORTEST_HISTORY, *(row[0] for row in preset.predictors))
    make, words = core.integers, core.words
    laws = len(preset.laws) // 2
    inputs = laws + CONTEXTS + 2
    memory = make(PREDICTION_MEMORY, 0)
    memory[ACTIVITY] = ACTIVITY_START
    restart_mixed(memory, 0)
    listed_plan = core.listed(plan)
    matrices, right, weights = make(matrix_size, 0), make(places, 0), make(places, 0)
    core.start_predictors(listed_plan, number, matrices, right, weights)
    mixing = words(MIXING_SETS * inputs, 0)
    row = [65536 // laws] * laws + [CONTEXT_WEIGHT] * CONTEXTS + [0, 0]
    mixing[: SECOND_SET * inputs] = core.listed(row * SECOND_SET)
    maps = words(MIXED_MAPS, 0)
    start_map(maps, 0)
    maps[:] = core.listed(list(maps[:MAP_POINTS]) * (MIXED_MAPS // MAP_POINTS))
    stores = (
        listed_plan,
        core.listed(list(preset.laws)),
        memory,
        make(3 * length, 0),
        make(places, 0),
        matrices,
        right,
        weights,
        make(number + 1, 0),
        make(SCALES * (number + 1), FIRST_SCALE[0] + FIRST_SCALE[1] * width),
        make(max(template, 1), 0),
        make(max(template, 1), 0),
        make(max(template, 1), FIRST_TEMPLATE_ERROR * width),
        words(MIXED_SLOTS, SLOT_HALF),
        mixing,
        maps,
    )
    return MixedLead(stores, memory, (make(NUMBER_SIZE, EVEN), make(NUMBER_SIZE, 0)))


def work_stores(preset: MixedPreset, core: Core) -> tuple[Any, ...]:
    """Room that all leads share, in the order in which `code_mixed` takes it."""
    make = core.integers
    number, laws = len(preset.predictors), len(preset.laws) // 2
    return (
        make(number + 1, 0),
        make(MOST_REGRESSORS, 0),
        make(MOST_REGRESSORS + 1, 0),
        make((MOST_REGRESSORS + 1) ** 2, 0),
        make(MOST_REGRESSORS + 1, 0),
        make(laws, 0),
        make(laws, 0),
        make(CONTEXTS, 0),
        make(CONTEXTS, 0),
        make(laws + CONTEXTS + 2, 0),
    )


def mixed_memory(preset: MixedPreset, others: int, template: int) -> int:
    """About how many bytes the stores of one lead take."""
    plan = make_plan(preset, others, 1 if template else 0)
    inputs = len(preset.laws) // 2 + CONTEXTS + 2
    integers = plan[-1] + plan[-3] ** 2 + 3 * (plan[-2] + plan[-3]) + 3 * template + 600
    return 8 * integers + 4 * (MIXED_SLOTS + MIXED_MAPS + MIXING_SETS * inputs)
