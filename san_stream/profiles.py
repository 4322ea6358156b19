"""What to send of a signal: the profiles of the format (docs/format.md, "Profiles")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from san_stream.kernels import Kernels


@dataclass(frozen=True, slots=True)
class Lossless:
    """Every sample exact. The default."""

    name: Final[str] = "lossless"


@dataclass(frozen=True, slots=True)
class Spikes:
    """Baseline and spikes of trained kernels, the sparse code of the paper.

    Attributes:
        kernels: the model; it must serve every lead of the source at the source's rate.
    """

    kernels: Kernels
    name: Final[str] = "spikes"


Profile = Lossless | Spikes


def is_exact(profile: Profile) -> bool:
    """Whether the decoder shows the very samples, so that no loss need be told."""
    return isinstance(profile, Lossless)
