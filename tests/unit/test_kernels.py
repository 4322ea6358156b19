"""Kernels: limits, what they say to a source, and their JSON with every field missing or wrong."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from san_stream import Kernel, Kernels, KernelSet, Lead, StreamInfo
from san_stream.errors import ModelError, SanStreamError
from san_stream.kernels import footprint_offset, placed_taps

ZERO = Kernel((-1, 2, -1), 5)
MODEL = Kernels(
    (KernelSet((ZERO, Kernel((3, -3), 9)), 8, 4), KernelSet((Kernel((7,), 3),), 6, 2, -5, ("II",))),
    Fraction(360),
    provenance={"record": "100", "µ": [1, 2.5]},
)


# -- limits --------------------------------------------------------------------------------


@pytest.mark.parametrize("taps", [(0,), (0,) * 1024, (-(2**15), 2**15 - 1)])
def test_taps(taps: tuple[int, ...]) -> None:
    assert Kernel(taps, 1).as_array().tolist() == list(taps)


@pytest.mark.parametrize("taps", [(), (0,) * 1025, (2**15,), (0, -(2**15) - 1), (2**63,)])
def test_taps_outside_the_limits(taps: tuple[int, ...]) -> None:
    with pytest.raises(ModelError):
        Kernel(taps, 1)


@pytest.mark.parametrize("med", [0, -1, 2**16 + 1, 2**32])
def test_distance_outside_the_limits(med: int) -> None:
    with pytest.raises(ModelError, match=f"minimum distance {med}"):
        Kernel((0,), med)


@pytest.mark.parametrize(
    "change",
    [
        {"kernels": ()},
        {"kernels": (ZERO,) * 17},
        {"scale": -1},
        {"scale": 25},
        {"step": -1},
        {"step": 17},
        {"kernels": (Kernel((1, 1), 3),)},
        {"baseline": 2**31},
        {"baseline": -(2**31) - 1},
        {"kernels": (Kernel((0,) * 130, 1),)},
        {"leads": ("x" * 65,)},
        {"leads": ("a\nb",)},
    ],
)
def test_set_outside_the_limits(change: dict[str, Any]) -> None:
    with pytest.raises(SanStreamError):
        KernelSet(**({"kernels": (ZERO,), "scale": 8, "step": 4} | change))


def test_set_at_the_limits() -> None:
    KernelSet((ZERO,) * 16, 24, 48, 2**31 - 1)
    KernelSet((Kernel((0,) * 128, 1),), 0, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"sets": ()},
        {"sets": (KernelSet((ZERO,), 8, 4),) * 256},
        {"sets": (KernelSet((Kernel((0,) * 1024, 99),) * 5, 1, 1),) * 4},
        {"rate": 0},
        {"rate": -1},
        {"rate": 2**31},
        {"tie": "other"},
        {"activation": "relu"},
        {"unit": "x" * 17},
    ],
)
def test_model_outside_the_limits(change: dict[str, Any]) -> None:
    with pytest.raises(SanStreamError):
        Kernels(**({"sets": MODEL.sets, "rate": 360} | change))


def test_weights_shift_and_bounds() -> None:
    chosen = MODEL.sets[0]
    assert (chosen.weights, chosen.shift) == (5, 12)
    lead = Lead("I", minimum=-100, maximum=99)
    assert chosen.bound(lead) == 100 * 6
    assert chosen.reconstruction_bound(lead) == ((600 >> 4) + 1) * (2 + 3)
    fixed = MODEL.sets[1]
    assert fixed.bound(lead) == 104 * 7


@given(
    st.lists(st.integers(-300, 300), min_size=1, max_size=8),
    st.lists(st.integers(-50, 60), min_size=8, max_size=40),
)
def test_bound_is_kept(taps: list[int], samples: list[int]) -> None:
    kernel_set = KernelSet((Kernel((*taps, -sum(taps)), 3),), 4, 2)
    x = np.array(samples)
    similarity = np.correlate(np.pad(x, 9, mode="edge"), [*taps, -sum(taps)])
    assert np.abs(similarity).max() <= kernel_set.bound(Lead("I", minimum=-50, maximum=60))


@pytest.mark.parametrize("size", [1, 2, 3, 8, 9])
def test_placing(size: int) -> None:
    kernel = Kernel(tuple(range(size)), 1)
    assert kernel.centre == (size - 1) // 2
    assert footprint_offset(kernel, "adjoint") == kernel.centre
    assert footprint_offset(kernel, "convolution") == size - 1 - kernel.centre
    assert placed_taps(kernel, "adjoint").tolist() == list(range(size))
    assert placed_taps(kernel, "convolution").tolist() == list(range(size))[::-1]


# -- meeting a source ------------------------------------------------------------------------


def test_assignment() -> None:
    info = StreamInfo(360, (Lead("I"), Lead("II"), Lead("III")))
    assert MODEL.assign(info) == (0, 1, 0)


@pytest.mark.parametrize(
    ("info", "message"),
    [
        (StreamInfo(250, (Lead("I"),)), "model is for 360 Hz, the source has 250 Hz"),
        (StreamInfo(360, (Lead("I", "uV"),)), "unit 'uV', the model is for 'mV'"),
        (StreamInfo(360, (Lead("I"),) * 255), None),
    ],
)
def test_source_that_does_not_fit(info: StreamInfo, message: str | None) -> None:
    if message is None:
        assert MODEL.assign(info) == (0,) * 255
        wide = Kernels((KernelSet((ZERO,) * 5, 8, 4),), 360)
        with pytest.raises(ModelError, match="1275 kernels over all leads: at most 1024"):
            wide.assign(info)
        return
    with pytest.raises(ModelError, match=message):
        MODEL.assign(info)


def test_lead_without_a_set() -> None:
    model = Kernels((KernelSet((ZERO,), 8, 4, leads=("V1", "V2")),), 360)
    with pytest.raises(ModelError, match="no kernels for lead 'I', only for V1, V2"):
        model.assign(StreamInfo(360, (Lead("I"),)))


@pytest.mark.parametrize(
    ("kernel_set", "message"),
    [
        (KernelSet((Kernel((2**15 - 1, -(2**15) + 1) * 65, 200),), 24, 24), "2\\^53"),
        (KernelSet((Kernel((1, -1), 1),), 8, 0), "amplitudes could reach"),
    ],
)
def test_bounds_of_a_source(kernel_set: KernelSet, message: str) -> None:
    model = Kernels((kernel_set,), 360)
    wide = Lead("I", minimum=-(2**31), maximum=2**31 - 1)
    with pytest.raises(ModelError, match=message):
        model.assign(StreamInfo(360, (wide,)))
    assert model.assign(StreamInfo(360, (Lead("I", minimum=-1, maximum=1),))) == (0,)


# -- JSON ------------------------------------------------------------------------------------


def test_round_trip(tmp_path: Path) -> None:
    read = Kernels.from_json(MODEL.to_json())
    assert read == MODEL
    assert read.provenance == MODEL.provenance
    assert read.to_json() == MODEL.to_json()
    MODEL.save(tmp_path / "model.json")
    assert Kernels.load(tmp_path / "model.json") == MODEL
    assert [path.name for path in tmp_path.iterdir()] == ["model.json"]


def test_hash_covers_what_is_computed_with() -> None:
    def changed(**change: Any) -> str:
        data = json.loads(MODEL.to_json()) | change
        with pytest.raises(ModelError, match="content hash"):
            Kernels.from_json(json.dumps(data))
        return "refused"

    sets = json.loads(MODEL.to_json())["sets"]
    sets[0]["kernels"][0]["taps"] = [-2, 4, -2]
    assert changed(sets=sets) == "refused"
    assert changed(rate=[361, 1]) == "refused"
    assert changed(tie="convolution") == "refused"
    assert changed(hash="0" * 64) == "refused"
    assert changed(hash=None) == "refused"
    free = json.loads(MODEL.to_json()) | {"provenance": {}, "unit": "uV"}
    assert Kernels.from_json(json.dumps(free)).content_hash == MODEL.content_hash


def test_hash_is_the_one_of_the_canonical_text() -> None:
    model = Kernels((KernelSet((Kernel((-1, 1), 2),), 3, 1),), Fraction(5, 2))
    text = (
        '{"activation":"extrema","rate":[5,2],"sets":[{"baseline":null,"kernels":'
        '[{"med":2,"taps":[-1,1]}],"scale":3,"step":1}],"tie":"adjoint"}'
    )
    import hashlib

    assert model.content_hash == hashlib.sha256(text.encode()).hexdigest()


WRONG: tuple[Any, ...] = (None, "x", 1.5, True, [], {}, [None], -1, 2**70, [1, 0], ["a", "b"])


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    out = [at] if at else []
    inside: Any = ()
    if isinstance(value, dict):
        inside = value.items()
    elif isinstance(value, list):
        inside = enumerate(value)
    for key, part in inside:
        if key != "provenance":
            out += paths(part, (*at, key))
    return out


def put(path: tuple[Any, ...], value: Any, *, remove: bool = False) -> str:
    data = json.loads(MODEL.to_json())
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    if remove:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return json.dumps(data)


PATHS = paths(json.loads(MODEL.to_json()))


@pytest.mark.parametrize("path", PATHS, ids=lambda p: ".".join(map(str, p)))
def test_every_field_wrong(path: tuple[Any, ...]) -> None:
    """Each place of the file replaced: refused in one line, or nothing computed with changes."""
    free = path[0] == "unit" or "leads" in path
    old = json.loads(MODEL.to_json())
    for key in path:
        old = old[key]
    for wrong in WRONG:
        if wrong == old or (free and isinstance(wrong, str | list)):
            continue
        with pytest.raises(ModelError) as caught:
            Kernels.from_json(put(path, wrong), name="model.json")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", PATHS, ids=lambda p: ".".join(map(str, p)))
def test_every_field_missing(path: tuple[Any, ...]) -> None:
    text = put(path, None, remove=True)
    if path[-2:-1] == ("leads",):
        assert Kernels.from_json(text).content_hash == MODEL.content_hash
    else:
        with pytest.raises(ModelError):
            Kernels.from_json(text)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "3", '"x"', "[" * 10**5, "{}", '{"format": "x"}', "NaN", "1" * 5000],
    ids=range(11),
)
def test_foreign_text(text: str) -> None:
    with pytest.raises(ModelError):
        Kernels.from_json(text)


def test_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_bytes(b"\x80\x04\x95 pickle \xff")
    with pytest.raises(ModelError, match="not UTF-8"):
        Kernels.load(path)
    path.write_bytes(b" " * (4 * 2**20 + 1))
    with pytest.raises(ModelError, match="too large for a model"):
        Kernels.load(path)
    with pytest.raises(FileNotFoundError):
        Kernels.load(tmp_path / "none.json")
