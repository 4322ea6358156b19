"""What HEADER says of the profile, kernels included, both directions (docs/format.md, "HEADER")."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from san_stream.coding.core import PLAIN, Core
from san_stream.coding.numbers import EVEN
from san_stream.coding.range_coder import ERROR, STATE_SIZE
from san_stream.coding.side import TREND_MEMORY, TREND_SIZE, restart_trend
from san_stream.errors import FormatError
from san_stream.fields import Scanner, optional, varint
from san_stream.kernels import (
    MAX_KERNELS,
    MAX_MODEL_TAPS,
    MAX_PLACED,
    MAX_SETS,
    MAX_TAPS,
    Kernel,
    Kernels,
    KernelSet,
)
from san_stream.profiles import (
    AIMS,
    MAX_ERROR,
    PRESETS,
    Bounded,
    Lossless,
    Preset,
    Profile,
    Quality,
    Spikes,
)

if TYPE_CHECKING:
    from san_stream.types import StreamInfo

DELAY_FACTOR: Final = 4
"""`max_delay` of every kernel is this many times its minimum distance."""
MAX_LATE: Final = 4096

_TIES: Final = ("adjoint", "convolution")
_PROFILES: Final = (Lossless, Spikes, Bounded, Quality)
"""By number."""


def profile_number(profile: Profile) -> int:
    """The number of a profile's kind."""
    return _PROFILES.index(type(profile))


def pack_profile(
    profile: Profile, leads: int, assignment: tuple[int, ...], late: int
) -> list[bytes]:
    """What a profile has to say of itself."""
    if isinstance(profile, Spikes):
        return [_pack_kernels(profile.kernels), bytes(assignment)]
    if isinstance(profile, Lossless):
        return [bytes((PRESETS.index(profile.preset),))]
    if isinstance(profile, Quality):
        aim, value = profile.aim
        return [bytes((AIMS.index(aim),)), struct.pack("<d", value), varint(late)]
    errors = [varint(error) for error in profile.errors(leads)]
    if profile.predicted:
        return [*errors, bytes((PRESETS.index(profile.preset),))]
    return [*errors, varint(late)]


def unpack_profile(
    number: int, scan: Scanner, info: StreamInfo, core: Core
) -> tuple[Profile, tuple[int, ...], int]:
    """The profile of this number, the kernel set of each lead, and `late`.

    Raises:
        FormatError: it breaks a rule of the format.
    """
    if number >= len(_PROFILES):
        raise FormatError(f"profile {number} is not known to this release")
    kind = _PROFILES[number]
    if kind is Spikes:
        return *_unpack_spikes(scan, info, core), 0
    if kind is Lossless:
        return Lossless(_unpack_preset(scan)), (), 0
    if kind is Quality:
        aim = scan.octet()
        if aim >= len(AIMS):
            raise FormatError(f"aim {aim} is not known to this release")
        (value,) = struct.unpack("<d", scan.octets(8))
        return _quality(AIMS[aim], value), (), scan.varint(MAX_LATE)
    errors = tuple(scan.varint(MAX_ERROR) for _ in info.leads)
    if Bounded(errors).predicted:
        return Bounded(errors, _unpack_preset(scan)), (), 0
    return Bounded(errors), (), scan.varint(MAX_LATE)


def _quality(aim: str, value: float) -> Quality:
    if aim == "step":
        return Quality(step=value)
    return Quality(prdn=value) if aim == "prdn" else Quality(bps=value)


def _unpack_preset(scan: Scanner) -> Preset:
    number = scan.octet()
    if number >= len(PRESETS):
        raise FormatError(f"preset {number} is not known to this release")
    return PRESETS[number]


def _unpack_spikes(scan: Scanner, info: StreamInfo, core: Core) -> tuple[Spikes, tuple[int, ...]]:
    kernels = _unpack_kernels(scan, info, core)
    assignment = tuple(scan.octets(len(info.leads)))
    if max(assignment) >= len(kernels.sets):
        raise FormatError(f"kernel set {max(assignment)} of {len(kernels.sets)}")
    placed = sum(len(kernels.sets[i].kernels) for i in assignment)
    if placed > MAX_PLACED:
        raise FormatError(f"{placed} kernels over all leads, at most {MAX_PLACED} are allowed")
    return Spikes(kernels), assignment


def _pack_kernels(kernels: Kernels) -> bytes:
    out = [bytes((_TIES.index(kernels.tie), DELAY_FACTOR)), varint(len(kernels.sets))]
    for group in kernels.sets:
        out += [bytes((group.scale, group.step)), optional(group.baseline)]
        out.append(varint(len(group.kernels)))
        for kernel in group.kernels:
            out += [varint(kernel.med), varint(len(kernel.taps))]
        coded = _code_taps([list(kernel.taps) for kernel in group.kernels], None)
        out += [varint(len(coded)), coded]
    return b"".join(out)


def _unpack_kernels(scan: Scanner, info: StreamInfo, core: Core) -> Kernels:
    tie, delay = scan.octet(), scan.octet()
    if tie > 1 or delay != DELAY_FACTOR:
        raise FormatError(f"tie {tie}, delay {delay}: not known to this release")
    sets = []
    total = 0
    for _ in range(scan.varint(MAX_SETS)):
        scale, step = scan.octet(), scan.octet()
        baseline = scan.optional()
        sizes = [(scan.varint(), scan.varint(MAX_TAPS)) for _ in range(scan.varint(MAX_KERNELS))]
        total += sum(size for _, size in sizes)
        if total > MAX_MODEL_TAPS:
            raise FormatError(f"{total} taps in all, at most {MAX_MODEL_TAPS} are allowed")
        taps = [[0] * size for _, size in sizes]
        _code_taps(taps, scan.octets(scan.varint(MAX_TAPS * MAX_KERNELS * 8)), core)
        group = [Kernel(tuple(t), med) for t, (med, _) in zip(taps, sizes, strict=True)]
        sets.append(KernelSet(tuple(group), scale, step, baseline))
    units = {lead.unit for lead in info.leads}
    unit = units.pop() if len(units) == 1 else ""
    return Kernels(tuple(sets), info.rate, unit, tie="adjoint" if tie == 0 else "convolution")


def _code_taps(kernels: list[list[int]], coded: bytes | None, core: Core = PLAIN) -> bytes:
    """Taps of a set as trend numbers in one interval of the range coder, in place.

    Encodes where `coded` is None, and returns the bytes; else decodes.
    """
    state, memory = core.integers(STATE_SIZE, 0), core.integers(TREND_MEMORY, 0)
    model = core.integers(TREND_SIZE, EVEN), core.integers(TREND_SIZE, 0)
    if coded is None:
        buffer = core.octets(8 * MAX_TAPS * MAX_KERNELS)
        core.start_encoder(state)
    else:
        buffer = core.loaded(coded)
        core.start_decoder(state, buffer, len(coded))
    for taps in kernels:
        restart_trend(memory, 0)
        for j, tap in enumerate(taps):
            taps[j] = int(core.code_trend(state, buffer, *model, 0, memory, tap))
            if state[ERROR]:
                raise FormatError("coded taps break a rule")
    return coded if coded is not None else bytes(buffer[: core.finish_encoder(state, buffer)])
