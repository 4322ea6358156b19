"""Kernels that travel in the stream: those given behind a reset, and corrections of the known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from san_stream.coding.steps import STRENGTH
from san_stream.coding.wavelet import MOST_BANDS

if TYPE_CHECKING:
    from san_stream.coding.core import Core
    from san_stream.coding.quality_state import LeadState


class Advice(Protocol):
    """What only the encoder knows."""

    def watch(self, lead: int, kernel: int, beat: Any, *, born: bool) -> None:
        """A beat, whose original is given, taught this kernel."""

    def correction(self, lead: int, kernel: int, step: int, fine: int) -> tuple[int, Any, Any]:
        """Whether to send a correction, its coefficients, and their weights."""

    def given(self, lead: int, kernel: int) -> tuple[int, Any, Any]:
        """Fineness of a kernel known from a reset on, -1 for none; its coefficients, weights."""


class KernelSender:
    """Sends or reads kernels of a lead, in full or corrections of them.

    Args:
        core: the coding functions. length: of a kernel. kernels: a lead.
    """

    def __init__(self, core: Core, length: int, kernels: int) -> None:
        make = core.integers
        self._core = core
        self._length = length
        self._kernels = kernels
        self._nothing = make(length, 0)
        self._room = (
            *(make(length, 0) for _ in range(3)),
            make(MOST_BANDS + 1, 0),
            make(MOST_BANDS + 1, 0),
        )

    def give(
        self, own: LeadState, lead: int, state: Any, buffer: Any, step: int, advice: Advice | None
    ) -> None:
        """Kernels that are known from the first block behind a reset on.

        Args:
            own: of the lead. state, buffer: of the range coder. step: of the quantiser, 1/16
                ADC unit. advice: the encoder's.
        """
        for kernel in range(self._kernels):
            fineness, wanted, weights = -1, self._nothing, self._nothing
            if advice is not None:
                fineness, wanted, weights = advice.given(lead, kernel)
            found = self._core.code_given(
                state, buffer, *own.corrections, own.kernels, own.notes, kernel, self._length,
                step, STRENGTH, fineness, wanted, weights, *self._room,
            )  # fmt: skip
            if not found:
                return

    def correct(
        self, own: LeadState, lead: int, state: Any, buffer: Any, step: int, advice: Advice | None
    ) -> None:
        """Corrections of the kernels that are due for one; arguments as of `give`."""
        core = self._core
        for kernel in range(self._kernels):
            if not core.correction_due(own.notes, kernel):
                continue
            given, wanted, weights = 0, self._nothing, self._nothing
            if advice is not None:
                fine = core.correction_step(own.notes, kernel, step)
                given, wanted, weights = advice.correction(lead, kernel, step, fine)
            core.code_correction(
                state, buffer, *own.corrections, own.kernels, own.notes, kernel, self._length,
                step, STRENGTH, given, wanted, weights, *self._room,
            )  # fmt: skip
