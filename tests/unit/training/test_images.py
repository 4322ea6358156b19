"""MNIST and Fashion-MNIST."""

from __future__ import annotations

import gzip
import hashlib

import numpy as np
import pytest

from san_stream.errors import SourceError
from san_training import images
from san_training.images import read_fashion_mnist, read_mnist


@pytest.mark.parametrize(
    ("name", "read", "digest"),
    [
        ("mnist", read_mnist, "6bbc9ace898e44ae57da46a324031adb"),
        ("fashion-mnist", read_fashion_mnist, "f4a8712d7a061bf5bd6d2ca38dc4d50a"),
    ],
)
def test_whole_sets(data_root, name, read, digest):
    if not (data_root / name).is_dir():
        pytest.skip(f"{name} is not in SAN_STREAM_DATA")
    splits = read(data_root / name)
    parts = (splits.training, splits.validation, splits.test)
    assert [part.samples.shape for part in parts] == [
        (50000, 28, 28), (10000, 28, 28), (10000, 28, 28)
    ]  # fmt: skip
    assert len(splits.classes) == 10
    # The published MD5 of the training file: its header, then all images in order.
    pixels = np.concatenate([np.rint(part.samples * 255).astype(np.uint8) for part in parts[:2]])
    header = bytes.fromhex("00000803 0000ea60 0000001c 0000001c")
    assert hashlib.md5(header + pixels.tobytes()).hexdigest() == digest
    assert np.bincount(splits.test.labels).sum() == 10000


@pytest.fixture
def small(monkeypatch):
    for name, count in (("TRAINING", 5), ("VALIDATION", 2), ("TEST", 3)):
        monkeypatch.setattr(images, name, count)


def idx(array):
    lengths = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + lengths + array.astype(np.uint8).tobytes()


def write(folder, packed=True):
    rng = np.random.default_rng(0)
    for part, count in (("train", 7), ("t10k", 3)):
        for what, axes, shape in (("images", 3, (count, 28, 28)), ("labels", 1, (count,))):
            array = rng.integers(0, 10, shape)
            file = folder / f"{part}-{what}-idx{axes}-ubyte"
            if packed:
                file.with_name(file.name + ".gz").write_bytes(gzip.compress(idx(array)))
            else:
                file.write_bytes(idx(array))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("packed", [True, False])
def test_parts(tmp_path, packed):
    write(tmp_path, packed)
    splits = read_mnist(tmp_path)
    parts = (splits.training, splits.validation, splits.test)
    assert [len(part) for part in parts] == [5, 2, 3]
    rng = np.random.default_rng(0)
    pictures, labels = rng.integers(0, 10, (7, 28, 28)), rng.integers(0, 10, 7)
    assert splits.validation.samples == pytest.approx(pictures[5:] / 255)
    assert splits.training.labels.tolist() == labels[:5].tolist()


@pytest.mark.usefixtures("small")
def test_files_that_cannot_be_used(tmp_path):
    write(tmp_path)
    labels, pictures = (
        tmp_path / f"train-{name}-ubyte.gz" for name in ("labels-idx1", "images-idx3")
    )
    whole = {path: path.read_bytes() for path in (labels, pictures)}
    short, right = np.zeros((6, 28, 28)), np.zeros((7, 28, 28))
    cases = [
        (pictures, whole[pictures][: len(whole[pictures]) // 2], r"is damaged \(EOFError"),
        (pictures, b"no gzip file", r"is damaged \(BadGzipFile"),
        (
            pictures,
            gzip.compress(idx(short)),
            "is no IDX file of 7 x 28 x 28 bytes",
        ),
        (pictures, gzip.compress(idx(right)[:-1]), "is no IDX file"),
        (pictures, gzip.compress(idx(right) + b"x"), "is no IDX file"),
        (labels, gzip.compress(idx(np.full(7, 10))), "has label 10, above 9"),
    ]
    for path, data, message in cases:
        path.write_bytes(data)
        with pytest.raises(SourceError, match=message):
            read_fashion_mnist(tmp_path)
        path.write_bytes(whole[path])
    assert len(read_fashion_mnist(tmp_path).test) == 3
    labels.unlink()
    with pytest.raises(SourceError, match=r"there is no train-labels-idx1-ubyte\.gz; download it"):
        read_fashion_mnist(tmp_path)
