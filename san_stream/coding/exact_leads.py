"""One lead of the predictive coder, under each preset: stores, and one call a block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from san_stream.coding.exact_presets import (
    LEAN,
    MAX,
    MixedPreset,
    make_lead,
    mixed_memory,
    work_stores,
)
from san_stream.coding.fast_coder import (
    FAST_MEMORY,
    FAST_SLOTS,
    FAST_WEIGHTS,
    LONG,
    SHORT,
    TURN_SLOTS,
)
from san_stream.coding.mixing import SLOT_HALF
from san_stream.coding.numbers import EVEN, NUMBER_SIZE
from san_stream.coding.other_leads import TAIL, lags_of, regressor_count
from san_stream.coding.tiny_coder import TAPS, TINY_MEMORY, TINY_PHASE_SLOTS, TINY_SLOTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from fractions import Fraction

    from san_stream.coding.core import Core
    from san_stream.profiles import Preset

MIXED_PRESETS: Final[dict[str, MixedPreset]] = {"lean": LEAN, "max": MAX}
LONGEST_TEMPLATE: Final = 2**14
LEAST_TEMPLATE: Final = 8  # below, beats cannot be told
FIRST_FAST_ERROR: Final = 8192
FIRST_TINY_ERROR: Final = 32


class ExactLead(Protocol):
    """Codes one lead."""

    def restart(self, value: int) -> None:
        """A run begins; `value` stands for the past."""

    def code(self, state: Any, buffer: Any, samples: Any, valid: Any) -> None:
        """Code the samples of a block; on return they are those of the decoder."""

    def learned(self) -> dict[str, Any]:
        """The stores that learn what one signal shares with others, by name."""


def template_length(rate: Fraction) -> int:
    """Samples of a beat that are told apart: 1.3 s."""
    return min(13 * rate.numerator // (10 * rate.denominator), LONGEST_TEMPLATE)


def refractory(rate: Fraction) -> int:
    """Least samples from beat to beat: 0.25 s."""
    return min(rate.numerator // (4 * rate.denominator), LONGEST_TEMPLATE)


class Recent:
    """The last block's samples of all leads, each behind a short tail of the block before.

    Args:
        leads, block: how many, and its largest length.
    """

    def __init__(self, leads: int, block: int, core: Core) -> None:
        self.stride = TAIL + block
        self.store = core.integers(leads * self.stride, 0)

    def fill(self, values: Sequence[int]) -> None:
        """A run begins: each lead was at its value until now."""
        for lead, value in enumerate(values):
            at = lead * self.stride
            for i in range(at, at + self.stride):
                self.store[i] = value

    def keep_tails(self, leads: int, count: int) -> None:
        """A block of `count` samples is over: its last ones become the tails."""
        for lead in range(leads):
            at = lead * self.stride
            self.store[at : at + TAIL] = self.store[at + count : at + count + TAIL]


class MixedCoder:
    """A lead under `lean` or `max`."""

    def __init__(
        self,
        lead: int,
        preset: MixedPreset,
        rate: Fraction,
        bound: int,
        recent: Recent,
        work: tuple[Any, ...],
        core: Core,
    ) -> None:
        template = template_length(rate)
        beat = template >= LEAST_TEMPLATE
        count = regressor_count(lead)
        self._made = make_lead(preset, count, template if beat else 0, 2 * bound + 1, core)
        self._recent = recent
        self._work = work
        self._core = core
        self._lead = lead
        self._count = count
        self._predictors = len(preset.predictors)
        quiet = 2**20
        row = lead * recent.stride + TAIL
        self._settings = core.listed(
            [bound, self._predictors, refractory(rate) if beat else quiet, row, count]
        )
        self.choose([lead - 1 - k for k in range(min(lead, count))])

    def choose(self, others: Sequence[int]) -> None:
        """Predict from these earlier leads."""
        lags = lags_of(self._lead)
        chosen = [
            other * self._recent.stride + TAIL - lag
            for other in others[: self._count // max(lags, 1)]
            for lag in range(lags)
        ]
        self._chosen = self._core.listed(chosen)

    def choose_again(self, others: Sequence[int]) -> None:
        """Predict from other leads than until now."""
        stores = self._made.stores
        plan, matrices, right, weights = stores[0], stores[5], stores[6], stores[7]
        self._core.forget_others(plan, self._predictors, self._count, matrices, right, weights)
        self.choose(others)

    def restart(self, value: int) -> None:
        """A run begins."""
        self._core.restart_mixed(self._made.memory, value)

    def code(self, state: Any, buffer: Any, samples: Any, valid: Any) -> None:
        """Code the samples of a block."""
        self._core.code_mixed(
            state,
            buffer,
            samples,
            valid,
            self._settings,
            *self._made.stores,
            *self._made.first,
            self._recent.store,
            self._chosen,
            *self._work,
        )

    def learned(self) -> dict[str, Any]:
        """The stores that learn what one signal shares with others, by name."""
        stores = self._made.stores
        return {
            "plan": stores[0],
            "matrices": stores[5],
            "right": stores[6],
            "weights": stores[7],
            "energies": stores[8],
            "slots": stores[13],
            "mixing": stores[14],
        }


class LoneCoder:
    """A lead that is predicted from itself alone: what `fast` and `tiny` share.

    Subclasses set the stores and the two functions in their constructor.
    """

    _memory: Any
    _history: Any
    _stores: tuple[Any, ...]
    _restart: Callable[..., None]
    _code: Callable[..., None]

    def __init__(self, rate: Fraction, bound: int) -> None:
        self._bound, self._refractory = bound, refractory(rate)

    def restart(self, value: int) -> None:
        """A run begins."""
        self._restart(self._memory, self._history, value)

    def code(self, state: Any, buffer: Any, samples: Any, valid: Any) -> None:
        """Code the samples of a block."""
        self._code(
            state,
            buffer,
            samples,
            valid,
            self._bound,
            self._refractory,
            self._memory,
            self._history,
            *self._stores,
        )


class FastCoder(LoneCoder):
    """A lead under `fast`."""

    def __init__(self, rate: Fraction, bound: int, core: Core) -> None:
        make, words = core.integers, core.words
        width = 2 * bound + 1
        super().__init__(rate, bound)
        self._restart, self._code = core.restart_fast, core.code_fast
        self._memory = make(FAST_MEMORY, 0)
        self._history = make(3 * LONG, 0)
        short, long, mixing = make(SHORT, 0), make(LONG, 0), words(FAST_WEIGHTS, 0)
        core.start_fast(self._memory, short, long, mixing, width)
        self._stores = (
            short,
            long,
            make(max(template_length(rate), 1), FIRST_FAST_ERROR * width),
            mixing,
            words(FAST_SLOTS, SLOT_HALF),
            words(TURN_SLOTS, SLOT_HALF),
            make(NUMBER_SIZE, EVEN),
            make(NUMBER_SIZE, 0),
        )

    def learned(self) -> dict[str, Any]:
        """The stores that learn what one signal shares with others, by name."""
        _, _, _, mixing, slots, turns, *_ = self._stores
        return {"mixing": mixing, "slots": slots, "turns": turns}


class TinyCoder(LoneCoder):
    """A lead under `tiny`."""

    def __init__(self, rate: Fraction, bound: int, core: Core) -> None:
        make = core.integers
        width = 2 * bound + 1
        super().__init__(rate, bound)
        self._restart, self._code = core.restart_tiny, core.code_tiny
        self._memory = make(TINY_MEMORY, 0)
        self._history = make(3 * TAPS, 0)
        weights = make(TAPS, 0)
        core.start_tiny(self._memory, weights, width)
        self._stores = (
            weights,
            make(max(template_length(rate) // 2, 1), FIRST_TINY_ERROR * width),
            make(TINY_SLOTS, EVEN),
            make(TINY_PHASE_SLOTS, EVEN),
            make(NUMBER_SIZE, EVEN),
            make(NUMBER_SIZE, 0),
        )

    def learned(self) -> dict[str, Any]:
        """The stores that learn what one signal shares with others, by name."""
        _, _, slots, others, *_ = self._stores
        return {"slots": slots, "others": others}


def lead_maker(
    rate: Fraction, bounds: Sequence[int], preset: Preset, recent: Recent, core: Core
) -> Callable[[int], ExactLead]:
    """What makes the coder of the lead of a number, untrained, as often as one is needed."""
    if preset == "tiny":
        return lambda lead: TinyCoder(rate, bounds[lead], core)
    if preset == "fast":
        return lambda lead: FastCoder(rate, bounds[lead], core)
    parts = MIXED_PRESETS[preset]
    work = work_stores(parts, core)
    return lambda lead: MixedCoder(lead, parts, rate, bounds[lead], recent, work, core)


def lead_memory(lead: int, rate: Fraction, preset: Preset) -> int:
    """About how many bytes the stores of a lead take."""
    template = template_length(rate)
    if preset == "tiny":
        return 8 * (TINY_SLOTS + TINY_PHASE_SLOTS + template // 2 + 2 * NUMBER_SIZE + 200)
    if preset == "fast":
        return 4 * (FAST_WEIGHTS + FAST_SLOTS + TURN_SLOTS) + 8 * (template + 500)
    beat = template if template >= LEAST_TEMPLATE else 0
    return mixed_memory(MIXED_PRESETS[preset], regressor_count(lead), beat)
