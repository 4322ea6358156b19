"""What leads can start from, read and put in place as docs/format-starts.md says."""

from __future__ import annotations

import lzma
import struct
import zlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.golden.spec_fast import Fast, Tiny
from tests.golden.spec_mixed import LEAN, Mixed, Plan
from tests.golden.spec_range import Source, need

if TYPE_CHECKING:
    from tests.golden.spec_mixing import Slots
    from tests.golden.spec_range import Model
    from tests.golden.spec_residual import Predicted
    from tests.golden.spec_squares import Squares
    from tests.golden.spec_transform import LeadDecoder

Numbers = list[int]

_FILE: Final = Path(__file__).parents[2] / "san_stream" / "coding" / "start.bin"
_CHECK: Final = 0x575467E4
_CODES: Final = {"slot": "H", "less": "h", "int32": "i", "int64": "q"}
_LEARNED: Final = (("int64", 0), ("int64", 0), ("int32", 0), ("int64", 0))
_PREDICTIVE: Final = (
    ("slots", 42144, "slot", 0),
    *(
        (f"{preset} {name}", size, form, bits)
        for preset, sizes in (
            ("lean", (9945, 2508, 86, 86, 4)),
            ("max", (13005, 5840, 184, 184, 8)),
        )
        for name, size, (form, bits) in zip(
            ("mixing", "R", "b", "weights", "E"), sizes, (("less", 9), *_LEARNED), strict=True
        )
    ),
    ("fast mixing", 3072, "less", 9),
    ("fast A", 768, "slot", 0),
    ("fast B", 7680, "slot", 0),
    ("tiny A", 256, "less", 2),
    ("tiny B", 768, "less", 2),
)
_TRANSFORM: Final = (
    ("slots", 11832, "slot", 0),
    ("weights", 1026, "less", 6),
    ("signs", 99, "slot", 0),
    ("means", 1544, "int32", 0),
    ("sizes", 864, "slot", 0),
    ("spikes", 857, "slot", 0),
    ("kernels", 73, "slot", 0),
    ("magnitudes", 192, "slot", 0),
    ("level", 144, "slot", 0),
    ("corrections", 531, "slot", 0),
)


@cache
def tables() -> list[dict[str, Numbers]]:
    """Entries by name: of the predictive coder for e = 0, 1, 2, then of the transform coder.

    Slots stand as 32 (P >> 10) + seen, as in the file.
    """
    data, at, found = lzma.decompress(_FILE.read_bytes()), 0, []
    assert zlib.crc32(data) == _CHECK
    for parts in (*(3 * (_PREDICTIVE,)), _TRANSFORM):
        found.append({})
        for name, size, form, bits in parts:
            layout = f"<{size}{_CODES[form]}"
            values = list(struct.unpack_from(layout, data, at))
            at += struct.calcsize(layout)
            if form == "less":
                values = [(v << bits) + (1 << (bits - 1)) for v in values]
            found[-1][name] = values
    assert at == len(data)
    return found


def _fill_slots(slots: Slots, entries: Numbers) -> None:
    for i, v in enumerate(entries):
        slots.probability[i], slots.seen[i] = 1024 * (v // 32) + 512, v % 32


def _fill_model(bits: Model, entries: Numbers) -> None:
    bits[:] = [((1024 * (v // 32) + 512) >> 4, v % 32) for v in entries]


def _rows(values: Numbers, width: int) -> list[Numbers]:
    return [values[i : i + width] for i in range(0, len(values), width)]


def read_start(source: Source, known: int) -> int:
    """The start of a lead, one of the first `known`."""
    start = source.plain(2)
    need(start < known, "start")
    return start


def start_predicted(lead: Predicted) -> None:
    """A lead of the predictive coder, trained."""
    table = tables()[lead.bound]
    if isinstance(lead, Tiny):
        lead.by_scale[:], lead.by_phase[:] = table["tiny A"], table["tiny B"]
    elif isinstance(lead, Fast):
        lead.mixing[:] = _rows(table["fast mixing"], 4)
        _fill_slots(lead.by_row, table["fast A"])
        _fill_slots(lead.by_turn, table["fast B"])
    elif isinstance(lead, Mixed):
        _start_mixed(lead, table)


def _start_mixed(lead: Mixed, table: dict[str, Numbers]) -> None:
    name = "lean" if lead.preset is LEAN else "max"
    _fill_slots(lead.slots, table["slots"])
    lead.mixing[:] = _rows(table[f"{name} mixing"], len(lead.mixing[0]))
    place = entry = 0
    for k, squares in enumerate(lead.squares):
        plan = lead.preset.plans[k] if k < len(lead.preset.plans) else None
        n = len(squares.weights) if plan is None else plan.own + 1 + 4 * plan.beat
        part = slice(place, place + n)
        matrix = _rows(table[f"{name} R"][entry : entry + n * n], n)
        b, weights = table[f"{name} b"][part], table[f"{name} weights"][part]
        _put(squares, _places(lead, plan, n), matrix, b, weights)
        squares.energy = table[f"{name} E"][k]
        place += n
        entry += n * n


def _places(lead: Mixed, plan: Plan | None, n: int) -> list[tuple[int, int]]:
    """Places of each regressor that both have: in the file, in the lead."""
    if plan is None:
        return [(i, i) for i in range(n)]
    own, here = min(plan.own, lead.own(plan)), lead.own(plan)
    places = [*((i, i) for i in range(own)), (plan.own, here)]
    if plan.beat and lead.beat:
        end = here + lead.extra(plan)
        places += [(n - k, end - k) for k in (4, 3, 2, 1)]
    return places


def _put(
    squares: Squares, places: list[tuple[int, int]], r: list[Numbers], b: Numbers, weights: Numbers
) -> None:
    for source, target in places:
        squares.right[target] = b[source]
        squares.weights[target] = weights[source]
        for other, here in places:
            if here <= target:
                squares.matrix[target][here] = r[source][other]


def start_transformed(lead: LeadDecoder) -> None:
    """A lead of the transform coder, trained."""
    table = tables()[3]
    transform, kernels = lead.transform, lead.kernel_corrections
    _fill_slots(transform.slots, table["slots"])
    transform.weights[:] = _rows(table["weights"], 9)
    _fill_slots(transform.signs, table["signs"])
    means = _rows(table["means"], 64)
    for i in range(8):
        transform.magnitude[i][:] = means[i][:63]
        transform.signed[i][:] = means[8 + i][:63]
        transform.number[i][:] = means[16 + i][:63]
    transform.activity[:] = means[24]
    _fill_model(transform.rest, table["sizes"])
    _fill_model(lead.spikes.bits, table["spikes"])
    _fill_slots(kernels.slots, table["kernels"])
    _fill_model(kernels.bits, table["magnitudes"])
    _fill_model(lead.level_bits, table["level"])
    _fill_model(lead.corrections.bits, table["corrections"])
