"""The plain oracle as a backend: no compiler in the similarity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from san_stream.reference import correlate

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ReferenceBackend:
    """Similarities by `san_stream.reference.correlate`."""

    name = "reference"

    def similarity(self, samples: NDArray[np.int64], taps: NDArray[np.int16]) -> NDArray[np.int64]:
        """s[i] = Σ_j taps[j] · samples[i + j]: int64 ``[n - m + 1]``, n >= m."""
        return correlate(samples, taps.astype(np.int64))
