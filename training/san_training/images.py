"""MNIST and Fashion-MNIST: images in the IDX format, in the paper's three parts."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from san_stream.errors import SourceError
from san_training.datasets import Labelled, Splits

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import NDArray

TRAINING, VALIDATION, TEST = 50_000, 10_000, 10_000
SIDE: Final = 28
DIGITS: Final = tuple("0123456789")
CLOTHES: Final = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
SOURCES: Final = {
    "mnist": "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "fashion-mnist": "https://github.com/zalandoresearch/fashion-mnist/tree/master/data/fashion",
}


def read_mnist(folder: str | PathLike[str]) -> Splits:
    """Handwritten digits: 50,000 images train, 10,000 validate, 10,000 test.

    Args:
        folder: holds ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``,
            ``t10k-images-idx3-ubyte`` and ``t10k-labels-idx1-ubyte``, with or without ``.gz``.

    Returns:
        Images ``[count, 28, 28]`` of 0 to 1. The last 10,000 of the training file validate.

    Raises:
        SourceError: a file is missing, damaged or of another size; says where to get it.
    """
    return _read(Path(folder), "mnist", DIGITS)


def read_fashion_mnist(folder: str | PathLike[str]) -> Splits:
    """Photographs of clothes; files, parts and errors as of `read_mnist`."""
    return _read(Path(folder), "fashion-mnist", CLOTHES)


def _read(folder: Path, name: str, classes: tuple[str, ...]) -> Splits:
    known = _labelled(folder, name, "train", TRAINING + VALIDATION)
    test = _labelled(folder, name, "t10k", TEST)
    training = Labelled(known.samples[:TRAINING], known.labels[:TRAINING])
    validation = Labelled(known.samples[TRAINING:], known.labels[TRAINING:])
    return Splits(classes, training, validation, test)


def _labelled(folder: Path, name: str, part: str, count: int) -> Labelled:
    images = _idx(folder, name, f"{part}-images-idx3-ubyte", (count, SIDE, SIDE))
    labels = _idx(folder, name, f"{part}-labels-idx1-ubyte", (count,))
    if labels.max() > 9:
        raise SourceError(f"{name}: {part}-labels-idx1-ubyte has label {labels.max()}, above 9")
    return Labelled(images.astype(np.float32) / np.float32(255), labels.astype(np.int64))


def _idx(folder: Path, name: str, file: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """An IDX file of bytes: two zeros, type 8, number of axes, lengths, values."""
    header = bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape)
    size = len(header) + int(np.prod(shape))
    path = next((p for p in (folder / f"{file}.gz", folder / file) if p.is_file()), None)
    if path is None:
        raise SourceError(
            f"{name}: there is no {file}.gz; download it from {SOURCES[name]} into {folder}"
        )
    try:
        with path.open("rb") as plain, gzip.open(plain) as unpacked:
            # One byte more is read, to see that there is none.
            data = (unpacked if path.suffix == ".gz" else plain).read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        raise SourceError(f"{name}: {path} is damaged ({reason})") from None
    if not data.startswith(header) or len(data) != size:
        raise SourceError(f"{name}: {path} is no IDX file of {' x '.join(map(str, shape))} bytes")
    return np.frombuffer(data, np.uint8, offset=len(header)).reshape(shape)
