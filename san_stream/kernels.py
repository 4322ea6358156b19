"""Integer kernels: what training hands to encoder and decoder.

Numbers (DESIGN of the format: docs/format.md, "Kernels"). A tap w stands for the real
weight w · 2^-scale. With c = (m - 1) // 2, for samples x less a reference r:

    similarity      s[p] = Σ_j w[j] · (x[p + j - c] - r)                 exact integer
    amplitude       α[p] = (s[p] + half) >> step at spikes; 0 is no spike
    reconstruction  x̂ = b + ((Σ α · w + half) >> (2 · scale - step))

The kernel is placed as it was matched (``tie="adjoint"``: α[p] · w[j] at p + j - c), or as
the paper convolves (``tie="convolution"``: α[p] · w[j] at p - j + c).
Kernels that sum to zero are blind to r, so b may follow the signal. Kernels that keep a
sum need a declared fixed baseline, which is then both r and b.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from san_stream.errors import ModelError
from san_stream.types import (
    INT32_MAX,
    INT32_MIN,
    MAX_NAME_BYTES,
    MAX_UNIT_BYTES,
    as_rate,
    check_text,
)

if TYPE_CHECKING:
    from fractions import Fraction
    from os import PathLike

    from numpy.typing import NDArray

    from san_stream.types import Lead, StreamInfo

MAX_TAPS = 1024
MAX_KERNELS = 16
MAX_SETS = 255
MAX_MODEL_TAPS = 2**14
"""Most taps of all kernels of a model: bounds the time that reading a HEADER takes."""
MAX_PLACED = 1024
"""Most kernels, summed over the leads that use them: bounds a decoder's memory."""
MAX_SCALE = 24
MAX_WORK = 64
"""Most taps that may be placed per sample, Σ ceil(m / (med + 1)): bounds a decoder's work."""
EXACT_BOUND = 2**53
"""Similarities stay below this, so that doubles (ONNX, JavaScript) are exact too."""
MAX_AMPLITUDE = 2**32
"""Quantised amplitudes stay below this (docs/format.md, "Layer 2")."""

Tie = Literal["adjoint", "convolution"]


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel: int16 taps and its minimum extrema distance in samples.

    Attributes:
        taps: 1 to 1,024 integers of 16 bits, in the order in which they are matched.
        med: two spikes of this kernel are more than this many samples apart; at least 1.
    """

    taps: tuple[int, ...]
    med: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "taps", tuple(int(w) for w in self.taps))
        if not 1 <= len(self.taps) <= MAX_TAPS:
            raise ModelError(f"kernel of {len(self.taps)} taps: 1 to {MAX_TAPS} are allowed")
        for j, w in enumerate(self.taps):
            if not -(2**15) <= w < 2**15:
                raise ModelError(f"tap {j} is {w}: must be -32768 to 32767")
        if not 1 <= self.med <= 2**16:
            raise ModelError(f"minimum distance {self.med}: must be 1 to {2**16}")

    @property
    def centre(self) -> int:
        """c = (m - 1) // 2, the tap that lies on the spike."""
        return (len(self.taps) - 1) // 2

    def as_array(self) -> NDArray[np.int16]:
        """Taps as int16 ``[m]``."""
        return np.array(self.taps, dtype=np.int16)


@dataclass(frozen=True, slots=True)
class KernelSet:
    """Kernels that together rebuild one lead (or each of several alike leads).

    Attributes:
        kernels: 1 to 16 kernels.
        scale: a tap w means w · 2^-scale; 0 to 24.
        step: amplitudes are quantised by 2^step units of the similarity; 0 to 2 · scale.
        baseline: None for kernels that each sum to zero; else the fixed ADC value that is
            taken off before matching and added back.
        leads: names of the leads served; empty: any lead that no other set names.
    """

    kernels: tuple[Kernel, ...]
    scale: int
    step: int
    baseline: int | None = None
    leads: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "kernels", tuple(self.kernels))
        object.__setattr__(self, "leads", tuple(self.leads))
        if not 1 <= len(self.kernels) <= MAX_KERNELS:
            raise ModelError(f"{len(self.kernels)} kernels in a set: 1 to {MAX_KERNELS}")
        if not 0 <= self.scale <= MAX_SCALE:
            raise ModelError(f"scale {self.scale}: must be 0 to {MAX_SCALE}")
        if not 0 <= self.step <= 2 * self.scale:
            raise ModelError(f"step {self.step}: must be 0 to 2 · scale = {2 * self.scale}")
        if self.baseline is None:
            for i, kernel in enumerate(self.kernels):
                if sum(kernel.taps) != 0:
                    raise ModelError(
                        f"kernel {i} sums to {sum(kernel.taps)}: without a declared baseline "
                        "its taps must sum to 0"
                    )
        elif not INT32_MIN <= self.baseline <= INT32_MAX:
            raise ModelError(f"baseline {self.baseline} is outside int32")
        work = sum(-(-len(k.taps) // (k.med + 1)) for k in self.kernels)
        if work > MAX_WORK:
            raise ModelError(
                f"kernels overlap {work}-fold (taps over minimum distance): at most {MAX_WORK}"
            )
        for name in self.leads:
            check_text("lead name", name, MAX_NAME_BYTES)

    @property
    def weights(self) -> int:
        """W, the number of taps of all kernels."""
        return sum(len(kernel.taps) for kernel in self.kernels)

    @property
    def shift(self) -> int:
        """Right shift from Σ α · w to ADC units."""
        return 2 * self.scale - self.step

    def bound(self, lead: Lead) -> int:
        """Largest |similarity| that samples in this lead's declared range can give.

        For zero-sum kernels the reference is free, so half the range counts.
        """
        if self.baseline is None:
            reach = (lead.maximum - lead.minimum + 1) // 2
        else:
            reach = max(abs(lead.maximum - self.baseline), abs(lead.minimum - self.baseline))
        return reach * max(sum(abs(w) for w in kernel.taps) for kernel in self.kernels)

    def reconstruction_bound(self, lead: Lead) -> int:
        """Largest |Σ α · w| that spikes of samples in this lead's range can give.

        At most 2^53 with the limits on amplitudes, taps and their overlap.
        """
        amplitude = (self.bound(lead) >> self.step) + 1
        overlap = (-(-len(k.taps) // (k.med + 1)) * max(map(abs, k.taps)) for k in self.kernels)
        return amplitude * sum(overlap)


@dataclass(frozen=True, slots=True)
class Kernels:
    """A trained model: kernel sets for the leads of one kind of signal at one rate.

    Attributes:
        sets: 1 to 255 kernel sets.
        rate: samples a second that the kernels were trained at.
        unit: physical unit of the leads, e.g. ``"mV"``.
        tie: how a kernel is placed, see the module's text.
        activation: always ``"extrema"``: the activation that can run on a live stream.
        provenance: free JSON object of strings and numbers (data, settings, figures);
            not part of the content hash and never put into a stream.
    """

    sets: tuple[KernelSet, ...]
    rate: Fraction
    unit: str = "mV"
    tie: Tie = "adjoint"
    activation: str = "extrema"
    provenance: dict[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sets", tuple(self.sets))
        object.__setattr__(self, "rate", as_rate(self.rate))
        if not 1 <= len(self.sets) <= MAX_SETS:
            raise ModelError(f"{len(self.sets)} kernel sets: 1 to {MAX_SETS} are allowed")
        taps = sum(kernel_set.weights for kernel_set in self.sets)
        if taps > MAX_MODEL_TAPS:
            raise ModelError(f"{taps} taps in all: at most {MAX_MODEL_TAPS} are allowed")
        if self.tie not in ("adjoint", "convolution"):
            raise ModelError(f"tie {self.tie!r}: must be 'adjoint' or 'convolution'")
        if self.activation != "extrema":
            raise ModelError(
                f"activation {self.activation!r}: only 'extrema' can run on a live stream"
            )
        check_text("unit", self.unit, MAX_UNIT_BYTES)

    # -- meeting a source ------------------------------------------------------------

    def assign(self, info: StreamInfo) -> tuple[int, ...]:
        """Index of the kernel set that serves each lead of a source.

        A set that names the lead wins over a set that names none.

        Raises:
            ModelError: rate or unit differ, a lead has no set, or a similarity could reach
                2^53 or an amplitude 2^32, with the value and the limit.
        """
        if info.rate != self.rate:
            raise ModelError(f"model is for {self.rate} Hz, the source has {info.rate} Hz")
        chosen = []
        for lead in info.leads:
            if lead.unit != self.unit:
                raise ModelError(
                    f"lead {lead.name!r} has unit {lead.unit!r}, the model is for {self.unit!r}"
                )
            named = [i for i, s in enumerate(self.sets) if lead.name in s.leads]
            general = [i for i, s in enumerate(self.sets) if not s.leads]
            if not named and not general:
                served = ", ".join(sorted({n for s in self.sets for n in s.leads}))
                raise ModelError(f"model has no kernels for lead {lead.name!r}, only for {served}")
            index = (named or general)[0]
            bound = self.sets[index].bound(lead)
            if bound >= EXACT_BOUND:
                raise ModelError(
                    f"lead {lead.name!r}, {lead.minimum} to {lead.maximum}: similarities could "
                    f"reach {bound}, the limit is 2^53 = {EXACT_BOUND}; use fewer tap bits"
                )
            largest = bound >> self.sets[index].step
            if largest >= MAX_AMPLITUDE:
                raise ModelError(
                    f"lead {lead.name!r}, {lead.minimum} to {lead.maximum}: amplitudes could reach "
                    f"{largest}, the limit is 2^32 = {MAX_AMPLITUDE}; use a larger step"
                )
            chosen.append(index)
        placed = sum(len(self.sets[index].kernels) for index in chosen)
        if placed > MAX_PLACED:
            raise ModelError(f"{placed} kernels over all leads: at most {MAX_PLACED} are allowed")
        return tuple(chosen)

    # -- files ---------------------------------------------------------------------

    @property
    def content_hash(self) -> str:
        """SHA-256 (hex) of all that encoder and decoder compute with.

        Lead names, unit and provenance are left out: they do not change a number.
        """
        from san_stream.model_files import content_hash

        return content_hash(self)

    def to_json(self) -> str:
        """The model as JSON text (format ``san-stream-kernels``, version 1)."""
        from san_stream.model_files import to_json

        return to_json(self)

    @classmethod
    def from_json(cls, text: str, *, name: str = "model") -> Kernels:
        """Read a model from JSON text; `name` is for messages.

        Raises:
            ModelError: not JSON, not this format, a field missing or wrong, or the
                content does not give the hash that the file states.
        """
        from san_stream.model_files import from_json

        return from_json(text, name)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model as JSON; replaces the file as a whole.

        Raises:
            OSError: it cannot be written.
        """
        from san_stream.model_files import save

        save(self, path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Kernels:
        """Read a model file.

        Raises:
            ModelError: see `from_json`; also a file above 4 MiB or not UTF-8.
            OSError: the file cannot be read.
        """
        from san_stream.model_files import load

        return load(path)


def footprint_offset(kernel: Kernel, tie: Tie) -> int:
    """Samples from the start of a placed kernel's footprint to its spike.

    A spike at p touches samples ``p - offset`` to ``p - offset + m - 1``: the offset is c
    for ``tie="adjoint"`` and m - 1 - c for ``tie="convolution"``.
    """
    return kernel.centre if tie == "adjoint" else len(kernel.taps) - 1 - kernel.centre


def placed_taps(kernel: Kernel, tie: Tie) -> NDArray[np.int64]:
    """Taps in the order in which they are added to the signal, int64 ``[m]``.

    As matched for ``tie="adjoint"``, reversed for ``tie="convolution"``.
    """
    taps = np.array(kernel.taps, dtype=np.int64)
    return taps if tie == "adjoint" else taps[::-1].copy()
