"""Puts what was learned from other signals into the stores of a new lead.

A *start* is a number that a stream has for each lead behind a RESET: 0 untrained, 1 as ECGs
have taught (docs/format-starts.md); in the transform coder also 2: another transform.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from san_stream.coding.exact_presets import TEMPLATE_REGRESSORS, make_plan
from san_stream.coding.mixing import COUNT_MASK
from san_stream.coding.predictors import BEAT, MATRIX, OWN, PLACE, ROW, SIZE
from san_stream.coding.range_coder import ERROR
from san_stream.coding.start_tables import MIXED, start_values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from san_stream.coding.core import Core

START_BITS: Final = 2
CHANCE_BITS: Final = 14  # from a slot to the probability of an adaptive bit
STATISTICS: Final = ("matrices", "right", "weights")
"""Stores of `lean` and `max` whose layout depends on other leads."""
UNTRAINED: Final = 0
ECG: Final = 1
COSINE: Final = 2
PREDICTED_STARTS: Final = (ECG, UNTRAINED)
"""Those of the predictive coder, in the order in which an encoder tries them: of equal ones
the first is taken."""
TRANSFORM_STARTS: Final = (ECG, UNTRAINED, COSINE)
"""Those of the transform coder."""

PAIRS: Final = frozenset(("rest", "beats", "sizes", "level", "fixes"))
"""Stores of the transform coder that are models of adaptive bits: probabilities and counts."""

Values = dict[str, Any]
"""What stores begin with, by name."""


def code_start(state: Any, buffer: Any, start: int, known: Sequence[int], core: Core) -> int:
    """Write or read a start; one that is not known is an error, and stands for untrained."""
    start = int(core.code_plain(state, buffer, start, START_BITS))
    if start in known:
        return start
    state[ERROR] = 1
    return UNTRAINED


def begin_predicting(
    preset: str, bound: int, stores: Mapping[str, Any], start: int, core: Core
) -> None:
    """Overwrite a new predictive coder's stores with what others have learned.

    Args:
        preset, bound: of the coder. start: one of `PREDICTED_STARTS`.
        stores: that learn, by name; for `lean` and `max` also their "plan".
        core: whose stores they are.
    """
    if start == UNTRAINED:
        return
    values = _prepared(preset, bound, core.listed)
    if preset in MIXED:
        source = make_plan(MIXED[preset], 0, 1)
        target = [int(value) for value in stores["plan"]]
        for row in range(0, len(source), ROW):
            _copy_statistics(source[row : row + ROW], target[row : row + ROW], values, stores)
    put(stores, {name: part for name, part in values.items() if name not in STATISTICS})


def begin_transforming(stores: Mapping[str, Any], start: int, core: Core) -> None:
    """Overwrite a new transform coder's stores; of those named alone.

    Args:
        stores: by name, those of `PAIRS` as pairs.
        start: one of `TRANSFORM_STARTS`. core: whose stores they are.
    """
    if start != ECG:
        return
    values = _prepared("transform", 0, core.listed)
    put(stores, {name: values[name] for name in stores})


def put(stores: Mapping[str, Any], values: Values) -> None:
    """Overwrite stores, or pairs of them, from their first entry on, with values of that name."""
    for name, part in values.items():
        if isinstance(part, tuple):
            for store, new in zip(stores[name], part, strict=True):
                store[: len(new)] = new
        else:
            stores[name][: len(part)] = part


@cache
def _prepared(coder: str, bound: int, listed: Callable[[Any], Any]) -> Values:
    """The values of a coder as stores of the core whose `listed` this is.

    They are made once, since a lead may start every few seconds.
    """
    return {
        name: tuple(map(listed, adaptive(part))) if name in PAIRS else listed(part)
        for name, part in start_values(coder, bound).items()
    }


def adaptive(slots: Sequence[int]) -> tuple[list[int], list[int]]:
    """Probabilities and counts of adaptive bits that are kept as slots."""
    return [slot >> CHANCE_BITS for slot in slots], [slot & COUNT_MASK for slot in slots]


def _copy_statistics(
    source: list[int], target: list[int], values: Values, stores: Mapping[str, Any]
) -> None:
    """What a predictor without other leads knows, into one that may have some."""
    stretches = same_regressors(source, target)
    for first, place, count in stretches:
        for name in ("right", "weights"):
            at, to = source[PLACE] + first, target[PLACE] + place
            stores[name][to : to + count] = values[name][at : at + count]
        for i in range(count):
            row = source[MATRIX] + (first + i) * source[SIZE]
            new_row = target[MATRIX] + (place + i) * target[SIZE]
            for column, new_column, width in stretches:
                at, to = row + column, new_row + new_column
                stores["matrices"][to : to + width] = values["matrices"][at : at + width]


def same_regressors(source: list[int], target: list[int]) -> list[tuple[int, int, int]]:
    """Where the same regressors begin in two rows of plans, and how many: own, level, beat."""
    if source[OWN] == 0:  # it combines predictions
        return [(0, 0, source[SIZE])]
    stretches = [(0, 0, min(source[OWN], target[OWN])), (source[OWN], target[OWN], 1)]
    if target[BEAT] and source[BEAT]:
        beat = TEMPLATE_REGRESSORS
        stretches.append((source[SIZE] - beat, target[SIZE] - beat, beat))
    return stretches
