"""Networks in safetensors files: numbers and text alone, nothing that could run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from san_stream.errors import ModelError, SanStreamError, SinkError
from san_stream.whole_files import write_whole
from san_training.model import SAN1d, SAN2d

if TYPE_CHECKING:
    from os import PathLike

    from san_training.model import SparselyActivatedNetwork

FORMAT: Final = "san-stream checkpoint 1"
NETWORKS: Final = {1: SAN1d, 2: SAN2d}


def save_network(network: SparselyActivatedNetwork, path: str | PathLike[str]) -> None:
    """Write a network, whole or not at all.

    The file holds each kernel as tensor ``taps.0``, ``taps.1``, … and, as metadata ``network``,
    JSON of dimensions, activation, tie, zero_sum and minimum extrema distances.

    Raises:
        ModelError: a tap is not finite.
        SinkError: the file cannot be written.
    """
    taps = {f"taps.{i}": kernel for i, kernel in enumerate(network.copy_taps())}
    for name, kernel in taps.items():
        if not bool(torch.isfinite(kernel).all()):
            raise ModelError(f"checkpoint {path}: {name} is not finite")
    settings = {
        "dimensions": network.dimensions,
        "activation": network.activation,
        "tie": network.tie,
        "zero_sum": network.zero_sum,
        "meds": list(network.meds),
    }
    data = save(taps, {"format": FORMAT, "network": json.dumps(settings)})
    try:
        write_whole(path, data)
    except OSError as error:
        raise SinkError(f"checkpoint {path}: {error.strerror or error}") from None


def load_network(path: str | PathLike[str]) -> SparselyActivatedNetwork:
    """The network of a file of `save_network`, on the CPU.

    Raises:
        ModelError: the file cannot be read, is damaged, or holds no network.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            taps = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ModelError(f"checkpoint {path}: cannot be read ({reason})") from None
    if metadata.get("format") != FORMAT:
        raise ModelError(f"checkpoint {path}: no {FORMAT!r}")
    try:
        settings: dict[str, Any] = json.loads(metadata["network"])
        kernels = [taps[f"taps.{i}"] for i in range(len(taps))]
        for i, kernel in enumerate(kernels):
            if not kernel.is_floating_point() or not bool(torch.isfinite(kernel).all()):
                raise ModelError(f"taps.{i} is not finite")
        network = NETWORKS[settings["dimensions"]](
            kernels,
            activation=settings["activation"],
            tie=settings["tie"],
            # Kernels are as they were saved: taking off a mean again would round them anew.
            zero_sum=False,
            meds=[int(med) for med in settings["meds"]],
        )
        network.zero_sum = bool(settings["zero_sum"])
    except (LookupError, TypeError, ValueError, SanStreamError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        raise ModelError(f"checkpoint {path}: holds no network ({reason})") from None
    return network
