"""The beat detector finds pulses, obeys its refractory time and forgets."""

from __future__ import annotations

import numpy as np
import pytest

from san_stream.coding.beat_phase import NO_BEAT, PHASE_MEMORY, advance_phase, restart_phase

RATE = 360
REFRACTORY = RATE // 4


def beats(signal: np.ndarray) -> list[int]:
    """Samples at which the detector says: a beat."""
    memory, found, since = [0] * (PHASE_MEMORY + 2), [], NO_BEAT
    restart_phase(memory, 2)
    differences = np.diff(signal, prepend=signal[0])
    for t in range(len(signal)):
        since += 1
        slope = int(differences[max(t - 4, 0) : t + 1].sum())
        since = advance_phase(memory, 2, slope, since, REFRACTORY)
        if since == 0:
            found.append(t)
    assert memory[:2] == [0, 0]
    return found


def pulses(period: int, height: float, number: int = 12) -> tuple[np.ndarray, list[int]]:
    t = np.arange(period * number)
    centres = [period // 2 + k * period for k in range(number)]
    signal = sum(height * np.exp(-(((t - c) / 6) ** 2)) for c in centres)
    return np.rint(signal).astype(np.int64), centres


@pytest.mark.parametrize("period", [150, 300, 420])
@pytest.mark.parametrize("height", [100.0, 30000.0])
def test_each_pulse_is_found_once_and_at_the_same_place(period: int, height: float) -> None:
    signal, centres = pulses(period, height)
    found = beats(signal)[-10:]
    offsets = [t - c for t, c in zip(found, centres[-10:], strict=True)]
    assert max(offsets) - min(offsets) <= 2
    assert all(abs(offset) < 20 for offset in offsets)


def test_no_two_beats_within_the_refractory_time() -> None:
    signal = np.random.default_rng(1).integers(-500, 500, 5000)
    found = beats(signal)
    assert len(found) > 5
    assert min(np.diff(found)) > REFRACTORY


def test_silence_has_no_beats_and_the_count_ends() -> None:
    memory = [0] * PHASE_MEMORY
    restart_phase(memory, 0)
    assert advance_phase(memory, 0, 0, NO_BEAT + 1, REFRACTORY) == NO_BEAT
    assert beats(np.zeros(2000, np.int64)) == []


def test_full_scale_is_no_overflow() -> None:
    memory = [0] * PHASE_MEMORY
    for _ in range(300):
        advance_phase(memory, 0, 2**40, 1000, REFRACTORY)
        assert max(memory) < 2**41
