"""Sums of |x − x̂| and |x − b| by window, and the loss indices made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from san_stream.coding.stream import window_ends
from san_stream.loss import loss_index

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from san_runtime.blocks import Draft
    from san_stream.payloads import Losses


class LossSums:
    """The open windows of one stream; exact integer sums."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._sums: dict[int, NDArray[np.int64]] = {}  # window -> [2, leads]

    def add(self, draft: Draft) -> None:
        """Add a block; the indices of the windows that end in it go into its codes."""
        if draft.exact:
            return
        block, window = draft.block, self._window
        at = 0
        while at < block.count:
            index = (block.first + at) // window
            end = min((index + 1) * window - block.first, block.count)
            ok = draft.valid[at:end]
            both = (draft.errors[at:end], draft.signals[at:end])
            sums = np.stack([np.where(ok, part, 0).sum(axis=0) for part in both])
            self._sums[index] = self._sums[index] + sums if index in self._sums else sums
            at = end
        for index in window_ends(block.first, block.count, window):
            block.losses.append(list(self.take(index) or ()))

    def take(self, index: int) -> Losses:
        """Loss indices of a window, one a lead, and forget it; None if it has no sample."""
        sums = self._sums.pop(index, None)
        if sums is None:
            return None
        return tuple(loss_index(int(e), int(s)) for e, s in zip(*sums.tolist(), strict=True))
