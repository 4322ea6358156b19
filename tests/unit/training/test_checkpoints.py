from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from san_stream.errors import ModelError, SinkError
from san_training.checkpoints import load_network, save_network
from san_training.model import SAN1d, SAN2d


def randn(*shape, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0)).to(dtype)


@pytest.mark.parametrize(
    "network",
    [
        SAN1d([randn(9)]),
        SAN1d([randn(9), randn(4)], activation="topk", tie="adjoint", zero_sum=True, meds=(7, 2)),
        SAN1d([randn(3, dtype=torch.float64)], activation="relu"),
        SAN2d([randn(3, 3), randn(2, 2)], activation="extrema_pool"),
    ],
)
def test_what_is_loaded_is_what_was_saved(network, tmp_path):
    save_network(network, tmp_path / "a.safetensors")
    loaded = load_network(tmp_path / "a.safetensors")
    assert type(loaded) is type(network)
    for name in ("activation", "tie", "zero_sum", "meds", "sizes"):
        assert getattr(loaded, name) == getattr(network, name)
    for ours, theirs in zip(loaded.taps, network.taps, strict=True):
        assert ours.dtype == theirs.dtype
        assert torch.equal(ours, theirs)
    x = randn(2, *(12,) * network.dimensions, dtype=network.taps[0].dtype)
    assert torch.equal(loaded(x).signal, network(x).signal)
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_kernels_that_are_no_numbers_are_not_written(tmp_path):
    path = tmp_path / "a.safetensors"
    save_network(SAN1d([randn(3)]), path)
    before = path.read_bytes()
    with pytest.raises(ModelError, match=r"taps\.1 is not finite"):
        save_network(SAN1d([randn(3), torch.tensor([1.0, torch.nan])]), path)
    assert path.read_bytes() == before
    with pytest.raises(SinkError, match="No such file or directory"):
        save_network(SAN1d([randn(3)]), tmp_path / "none" / "a.safetensors")


def damaged(path, *, metadata=None, taps=None, drop=()):
    """The file with some of its metadata or tensors replaced."""
    settings = {"dimensions": 1, "activation": "extrema", "tie": "adjoint", "zero_sum": False}
    settings |= {"meds": [4]} | (metadata or {})
    settings = {name: value for name, value in settings.items() if name not in drop}
    tensors = {"taps.0": randn(7)} if taps is None else taps
    texts = {"format": "san-stream checkpoint 1", "network": json.dumps(settings)}
    save_file(tensors, path, texts)
    return path


def test_damaged_files(tmp_path):
    path = tmp_path / "a.safetensors"
    assert load_network(damaged(path)).sizes == (7,)
    cases = [
        ({"drop": ["meds"]}, "KeyError: 'meds'"),
        ({"metadata": {"dimensions": 3}}, "KeyError: 3"),
        ({"metadata": {"activation": "tanh"}}, "activation 'tanh'"),
        ({"metadata": {"tie": "none"}}, "tie 'none'"),
        ({"metadata": {"meds": [0]}}, "minimum extrema distance"),
        ({"metadata": {"meds": [1, 2]}}, "minimum extrema distances"),
        ({"metadata": {"meds": "x"}}, "ValueError"),
        ({"metadata": {"meds": 3}}, "TypeError"),
        ({"taps": {}}, "0 kernels"),
        ({"taps": {"taps.1": randn(7)}}, r"KeyError: 'taps\.0'"),
        ({"taps": {"taps.0": randn(7, 7)}}, r"kernel of shape \(7, 7\)"),
        ({"taps": {"taps.0": torch.tensor([1.0, torch.inf])}}, r"taps\.0 is not finite"),
        ({"taps": {"taps.0": torch.ones(3, dtype=torch.int32)}}, r"taps\.0 is not finite"),
    ]
    for options, message in cases:
        with pytest.raises(ModelError, match=f"holds no network .*{message}"):
            load_network(damaged(path, **options))


def test_foreign_and_cut_files(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({"taps.0": randn(3)}, path)
    with pytest.raises(ModelError, match="no 'san-stream checkpoint 1'"):
        load_network(path)
    save_network(SAN1d([randn(300)]), path)
    assert list(load_file(path)) == ["taps.0"]
    whole = path.read_bytes()
    for cut in (0, 5, 100, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(ModelError, match=r"a\.safetensors: cannot be read"):
            load_network(path)
    with pytest.raises(ModelError, match="cannot be read"):
        load_network(tmp_path / "none")
