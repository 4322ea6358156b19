"""Every codec of the comparison, the project's own and its peers."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

import ours
import peer_mdct
import peer_prediction
import peer_spiht
import peer_wavelet
from codec import blockwise
from peers_libraries import libraries
from peers_programs import program

if TYPE_CHECKING:
    from codec import Codec


def peers() -> list[Codec]:
    """What the field has, and what a good engineer would write in its place."""
    here = f"this folder, numba {version('numba')}"
    predictors = [
        blockwise(
            name,
            ("lossless", "bound"),
            partial(peer_prediction.encode, taps=taps),
            partial(peer_prediction.decode, taps=taps),
            version=here,
            sequential=True,
        )
        for name, taps in (("delta + context", 0), ("NLMS-16 + context", peer_prediction.TAPS))
    ]
    transforms = [
        blockwise(name, ("quality",), module.encode, module.decode, version=here)
        for name, module in (
            ("wavelet 9/7 + context", peer_wavelet),
            ("MDCT-64 + context", peer_mdct),
            ("SPIHT-1D", peer_spiht),
        )
    ]
    programs = [program("FLAC -8"), program("WavPack -hh -x4")]
    return [*programs, *libraries(), *predictors, *transforms]


def build() -> dict[str, Codec]:
    """All codecs by name, the project's own first."""
    return {codec.name: codec for codec in (*ours.codecs(), *peers())}
