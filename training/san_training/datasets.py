"""Labelled windows or images, in the parts that training, choice and test use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Samples with a class each.

    Attributes:
        samples: float32 ``[count, n]`` or ``[count, h, w]``.
        labels: int64 ``[count]``, places in the classes of `Splits`.
    """

    samples: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.labels)


@dataclass(frozen=True, slots=True, eq=False)
class Splits:
    """A data set in three parts that share no sample.

    Attributes:
        classes: names.
        training, validation, test: the parts.
    """

    classes: tuple[str, ...]
    training: Labelled
    validation: Labelled
    test: Labelled
