"""Make san_stream/coding/start.bin: what coders know of ECGs before the first sample.

    python tools/make_start_tables.py MITDB

MITDB holds the MIT-BIH arrhythmia database. Only `RECORDS` take part, so that all others stay
fit to measure with. After a change of a coder run it again, and write the checksum
that it prints into docs/format-starts.md, tests/golden/spec_starts.py and
tests/unit/coding/test_starts.py.
"""

from __future__ import annotations

import lzma
import struct
import sys
import zlib
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import wfdb

from san_runtime.compiled import compiled_core
from san_runtime.latency import plan
from san_runtime.quality import BlockSearch
from san_stream.coding import coefficients, start_tables
from san_stream.coding.corrections import CORRECTIONS_MEMORY, CORRECTIONS_SIZE
from san_stream.coding.exact_leads import Recent, lead_maker
from san_stream.coding.mixing import COUNT_BITS, COUNT_MASK, SLOT_ONE
from san_stream.coding.numbers import EVEN
from san_stream.coding.quality import QualityCoder
from san_stream.coding.range_coder import STATE_SIZE
from san_stream.coding.start_tables import layout, packed
from san_stream.coding.starts import CHANCE_BITS, PAIRS, adaptive, put
from san_stream.types import Lead

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from san_stream.coding.core import Core
    from san_stream.coding.quality_state import LeadState
    from san_stream.profiles import Preset

Learned = dict[str, Any]
"""Stores by name."""

TARGET: Final = Path(start_tables.__file__).with_name("start.bin")
RECORDS: Final = (100, 101, 102, 103, 104, 106, 108, 109, 111, 112, 114, 115, 116)
RATE: Final = 360
SECONDS: Final = 120
BASELINE: Final = 1024  # ADC value of 0 mV in all of them
HISTORY: Final = 6 * RATE  # samples before a block by which its beats are found
STEPS: Final = (0.14, 0.35, 0.7, 1.575)
"""Of the quantiser, over the lead's standard deviation: PRDNs of about 3, 5, 8 and 14 %."""
STEP_OF_BOUND: Final = 1.3  # the step over 2e + 1 that a bound e is held with, about
DOUBT: Final = 10  # bits after which a lead's own mean counts half
MOST_SEEN: Final = {"lean": 20, "max": 20, "fast": 2, "transform": 20}
"""Largest count that a context keeps: `fast` has no input by which to mistrust one."""
LEAST_SEEN: Final = 4  # bits of all leads, for each that a context counts
MEANS_SEEN: Final = 3  # levels for which a mean counts
LESS: Final = 6  # statistics count 2^-6 of what was seen: a signal's own soon outweigh them
DIGITS: Final = 12  # significant bits of statistics
CONTEXTS: Final = ("slots", "signs", "rest", "beats", "corrections", "sizes", "level", "fixes")
"""Stores of the transform coder that hold slots or adaptive bits."""


def signals(folder: Path) -> Iterator[Any]:
    """The beginning of each record, ``[n, leads]``."""
    for number in RECORDS:
        record = wfdb.rdrecord(str(folder / str(number)), physical=False, sampto=RATE * SECONDS)
        yield record.d_signal.astype(np.int64)


def common(found: Sequence[Any], most: int) -> Any:
    """Slots that many signals have in common, from those of each, all begun alike.

    A slot counts for so many bits as it takes for a signal's own to differ from the mean by
    chance as much as signals differ: the count of the beta distribution that fits them.

    Args:
        found: slots of each signal. most: the largest count.
    """
    slots = np.array(found, np.int64)
    seen = (slots & COUNT_MASK).astype(np.float64)
    chance = (slots >> COUNT_BITS) / SLOT_ONE
    weight = seen / (seen + DOUBT)
    total = np.maximum(weight.sum(0), 1e-9)
    mean = (weight * chance).sum(0) / total
    spread = (weight * (chance - mean) ** 2).sum(0) / total
    sampling = mean * (1 - mean)
    own = (weight / np.maximum(seen, 1)).sum(0) / total * sampling
    between = np.maximum(spread - own, 1e-9)
    count = np.clip(sampling / between - 1, 1, most)
    count = np.minimum(count, seen.sum(0) / LEAST_SEEN)
    never = slots[0] & ~COUNT_MASK  # seen by none: still the initial value
    value = (np.clip(mean * SLOT_ONE, 1, SLOT_ONE - 1).astype(np.int64) << COUNT_BITS) + (
        np.rint(count).astype(np.int64)
    )
    return np.where(count < 1, never, value)


def after(lead: Any, preset: Preset, bound: int, begun: Learned | None) -> Learned:
    """The stores of a predictive coder behind a lead."""
    core = compiled_core()
    recent = Recent(1, RATE, core)
    coder = lead_maker(Fraction(RATE), [bound], preset, recent, core)(0)
    coder.restart(0)
    stores = coder.learned()
    for name, values in (begun or {}).items():
        stores[name][: len(values)] = values
    state, buffer = core.integers(STATE_SIZE, 0), core.octets(8 * len(lead))
    core.start_encoder(state)
    for first in range(0, len(lead), RATE):
        samples = core.listed(lead[first : first + RATE])
        coder.code(state, buffer, samples, core.integers(len(samples), 1))
        if len(samples) == RATE:
            recent.keep_tails(1, RATE)
    return stores


def predicting(
    leads: list[Any], preset: Preset, bound: int, slots: Learned | None = None
) -> Learned:
    """What a predictive coder learns: contexts first, then the rest beginning with these.

    Args:
        slots: contexts where another preset has learned them.
    """
    if slots is None and preset != "tiny":
        slots = {}
        runs = [after(lead, preset, bound, None) for lead in leads]
        for name in ("slots", "turns"):
            if name in runs[0]:
                slots[name] = common([run[name] for run in runs], MOST_SEEN[preset])
    slots = slots or {}
    runs = [after(lead, preset, bound, slots) for lead in leads]
    found: Learned = {}
    for name in runs[0]:
        mean = np.mean([run[name] for run in runs], axis=0)
        found[name] = slots.get(name, np.rint(mean).astype(np.int64))
    for name in ("matrices", "right", "energies"):
        if name in found:
            found[name] = np.array([rounded(int(value) >> LESS) for value in found[name]])
    return found


def rounded(value: int) -> int:
    """To `DIGITS` significant bits: what follows is chance, and costs room."""
    shift = max(abs(value).bit_length() - DIGITS, 0)
    return value >> shift << shift


def behind(record: Any, step: float, begun: Learned | None) -> list[Learned]:
    """The stores of a transform coder behind a record, of each lead.

    Args:
        step: of the quantiser, over a lead's standard deviation. begun: what they start from.
    """
    core = compiled_core()
    parts = plan(Fraction(RATE), None, RATE * 10)
    leads = [Lead(str(i), baseline=BASELINE) for i in range(record.shape[1])]
    coder = QualityCoder(Fraction(RATE), leads, parts.block, parts.late, core)
    coder.reset()
    coder.restart()
    if begun:
        for own in coder.states:
            begin(own, begun, core)
    search = BlockSearch(coder)
    state, buffer = core.integers(STATE_SIZE, 0), core.octets(16 * record.size)
    core.start_encoder(state)
    fixes = [Fixes(own, core) for own in coder.states]
    steps = [max(round(16 * step * float(lead.std())), 1) for lead in record.T]
    for first in range(0, len(record) - parts.block - parts.ahead, parts.block):
        end = first + parts.block
        known = record[max(first - HISTORY, 0) : end + parts.ahead]
        beats = search.choose(known, min(first, HISTORY), parts.block, steps)
        samples = [core.listed(column) for column in record[first:end].T]
        coder.code(state, buffer, parts.block, steps, samples, beats, search, decoding=False)
        for i, fix in enumerate(fixes):
            fix.follow(core.listed(record[first:end, i]), samples[i], steps[i])
    return [
        read_transforming({**own.learned(), "fixes": fix.model})
        for own, fix in zip(coder.states, fixes, strict=True)
    ]


def begin(own: LeadState, begun: Learned, core: Core) -> None:
    """Put what was learned into the stores of a transform coder's lead."""
    stores = own.learned()
    for name, values in begun.items():
        if name in stores:
            part = [int(value) for value in values]
            pair = name in PAIRS
            put(stores, {name: tuple(map(core.listed, adaptive(part))) if pair else part})


class Fixes:
    """Corrections of samples beside a coder that runs without: nothing depends on them."""

    def __init__(self, own: LeadState, core: Core) -> None:
        self._own, self._core = own, core
        self.model = core.integers(CORRECTIONS_SIZE, EVEN), core.integers(CORRECTIONS_SIZE, 0)
        core.start_corrections(self.model[0])
        self._memory = core.integers(CORRECTIONS_MEMORY, 0)

    def follow(self, exact: Any, shown: Any, step: int) -> None:
        """A block as it was and as it came out, at a step in 1/16 ADC unit."""
        core = self._core
        bound = max(round((step / 16 / STEP_OF_BOUND - 1) / 2), 1)
        state, buffer = core.integers(STATE_SIZE, 0), core.octets(16 * len(exact))
        core.start_encoder(state)
        core.code_corrections(
            state, buffer, *self.model, self._memory, bound, self._own.phases,
            core.integers(len(exact), 1), exact, shown,
        )  # fmt: skip


def read_transforming(stores: Learned) -> Learned:
    """The same as numbers: adaptive bits as slots."""
    found: Learned = {}
    for name, store in stores.items():
        if isinstance(store, tuple):
            probability, count = (np.array(part, np.int64) for part in store)
            found[name] = (probability << CHANCE_BITS) + count
        else:
            found[name] = np.array(store, np.int64)
    return found


def transforming(records: list[Any]) -> Learned:
    """What a transform coder learns, from all records at all errors."""
    runs = [run for record in records for step in STEPS for run in behind(record, step, None)]
    found: Learned = {
        name: common([run[name] for run in runs], MOST_SEEN["transform"]) for name in CONTEXTS
    }
    runs = [run for record in records for step in STEPS for run in behind(record, step, found)]
    for name in ("weights", "means"):
        found[name] = np.rint(np.mean([run[name] for run in runs], axis=0)).astype(np.int64)
    means = found["means"][: coefficients.PREVIOUS]
    means[coefficients.SIGNED : coefficients.SEEN] = 0  # the lead's polarity
    means[coefficients.SEEN : coefficients.ACTIVITY] = MEANS_SEEN
    found["means"] = np.array([rounded(int(value)) for value in means])
    return found


def main() -> None:
    """Train, write the file, and print its size and the checksum of its content."""
    records = list(signals(Path(sys.argv[1])))
    leads = [lead for record in records for lead in record.T]
    trained: dict[tuple[int, str], Learned] = {(0, "transform"): transforming(records)}
    for bound in range(start_tables.BOUNDS):
        for preset in ("tiny", "fast", "lean"):
            trained[bound, preset] = predicting(leads, preset, bound)
        shared = {"slots": trained[bound, "lean"]["slots"]}
        trained[bound, "max"] = predicting(leads, "max", bound, shared)
    content = b""
    for bound, part in layout():
        values = trained[bound, part.coders[0]][part.name][: part.size]
        kept = packed(part, [int(value) for value in values])
        content += struct.pack(f"<{part.size}{part.kind}", *kept)
    TARGET.write_bytes(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))
    print(f"{len(leads)} leads, {TARGET.stat().st_size} bytes, CRC-32 0x{zlib.crc32(content):08X}")


if __name__ == "__main__":
    main()
