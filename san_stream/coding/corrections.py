"""Layer 4, corrections: what brings a lossy sample within ±e of the original.

A correction is a multiple of 2e + 1, zero for most samples. Whether it is zero depends on
how many of the last ones were not, on the sign of the one before, and on where in the beat
the sample lies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from san_stream.coding.numbers import NUMBER_SIZE, code_adaptive, code_unsigned
from san_stream.coding.range_coder import DECODING, ERROR

if TYPE_CHECKING:
    from san_stream.coding.store import Integers, Octets

RATES: Final = 8
PHASES: Final = 16
PHASE_SHIFT: Final = 2  # 64 bins of the beat's phase to 16
SIGN_BASE: Final = RATES * 3 * PHASES
NUMBER_BASE: Final = SIGN_BASE + 3
CORRECTIONS_SIZE: Final = NUMBER_BASE + NUMBER_SIZE  # model entries a lead

# Places in the memory of a lead.
DENSITY: Final = 0  # share of samples corrected, 1/65536
LAST_SIGN: Final = 1  # of the sample before: 0 none, 1 positive, 2 negative
CORRECTIONS_MEMORY: Final = 2

DENSITY_SHIFT: Final = 6  # the share is a mean over some 64 samples
# Shares of 1/65536 that part the contexts: about 0.002, 0.005, 0.01, 0.03, 0.08, 0.16, 0.3.
RATE_LIMITS: Final = [131, 328, 655, 1966, 5243, 10486, 19661]
SELDOM: Final = 4096  # 1/65536
LOW_LIMIT: Final = -(2**31)
HIGH_LIMIT: Final = 2**31 - 1


def start_corrections(probability: Integers) -> None:
    """Initial values: few samples are corrected, signs and sizes are not known."""
    for i in range(SIGN_BASE):
        probability[i] = SELDOM


def restart_corrections(memory: Integers) -> None:
    """A run begins."""
    memory[DENSITY] = 0
    memory[LAST_SIGN] = 0


def code_corrections(
    state: Integers,
    buffer: Octets,
    probability: Integers,
    count: Integers,
    memory: Integers,
    bound: int,
    phases: Integers,
    valid: Integers,
    exact: Integers,
    shown: Integers,
) -> None:
    """Correct `shown` until |exact - shown| <= bound; `exact` is read when encoding only.

    The result is clipped to int32, which brings no sample farther from an int32 original.
    """
    width = 2 * bound + 1
    density = memory[DENSITY]
    last = memory[LAST_SIGN]
    decoding = state[DECODING]
    for t in range(len(shown)):
        if valid[t] == 0:
            continue
        steps = 0
        if decoding == 0:
            error = exact[t] - shown[t]
            steps = (error + bound) // width if error >= 0 else -((bound - error) // width)
        rate = 0
        while rate < RATES - 1 and density >= RATE_LIMITS[rate]:
            rate += 1
        context = (rate * 3 + last) * PHASES + (phases[t] >> PHASE_SHIFT)
        found = code_adaptive(state, buffer, probability, count, context, 1 if steps != 0 else 0)
        if found == 1:
            negative = code_adaptive(
                state, buffer, probability, count, SIGN_BASE + last, 1 if steps < 0 else 0
            )
            size = 1 + code_unsigned(state, buffer, probability, count, NUMBER_BASE, abs(steps) - 1)
            value = shown[t] + (-size if negative == 1 else size) * width
            if value > HIGH_LIMIT:
                value = HIGH_LIMIT
            elif value < LOW_LIMIT:
                value = LOW_LIMIT
            shown[t] = value
            last = 2 if negative == 1 else 1
            density += (65536 - density) >> DENSITY_SHIFT
        else:
            last = 0
            density -= density >> DENSITY_SHIFT
        if state[ERROR] != 0:
            break
    memory[DENSITY] = density
    memory[LAST_SIGN] = last
