"""The page of figures: what it gathers, what it draws, and what it says of what is not here."""

from __future__ import annotations

import re
import struct
import zlib
from html.parser import HTMLParser

import numpy as np
import pytest
import wfdb
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from san_stream.errors import SourceError
from san_training.activations import ACTIVATIONS
from san_training.datasets import Labelled, Splits
from san_training.ledger import Ledger, read_ledger
from san_training.paper import paper_windows, run_paper_protocol
from san_training.reproduce import figures, labelled
from san_training.reproduce.cli import command
from san_training.reproduce.figures import gather_material
from san_training.reproduce.figures_page import render
from san_training.reproduce.labelled import LabelledSettings, run_labelled
from san_training.reproduce.svg import Plot, picture, png, spark, ticks
from san_training.reproduce.table1 import Table1Settings, run_table1

VOID = {"meta", "link", "br", "img", "input"}


@pytest.fixture
def root(tmp_path, monkeypatch):
    """One database, small labelled data, and the ledgers of table I and III."""
    rng = np.random.default_rng(0)
    digital = rng.integers(-20, 20, (12000, 1))
    for at in range(0, 11990, 40):
        digital[at : at + 9, 0] += np.round(200 * np.hanning(9)).astype(int)
    (tmp_path / "mitdb").mkdir()
    wfdb.wrsamp(
        "100", fs=100, units=["mV"], sig_name=["x"], d_signal=digital, fmt=["16"],
        adc_gain=[200.0], baseline=[0], write_dir=str(tmp_path / "mitdb"),
    )  # fmt: skip

    def read_splits(_root, settings):
        if settings.table != "table3":
            raise SourceError(f"{settings.experiment.data}: there is none")
        x = rng_images()
        part = Labelled(x, np.arange(len(x)) % 10)
        return lambda _split, _seed: Splits(tuple("0123456789"), part, part, part)

    for module in (labelled, figures):
        monkeypatch.setattr(module, "read_splits", read_splits)
    settings = Table1Settings(("mitdb",), inits=("normal",), sizes=(1, 9, 10), epochs=3)
    (tmp_path / "table1").mkdir()
    with Ledger(tmp_path / "table1" / "ledger.jsonl", settings.basis()) as ledger:
        run_table1(tmp_path, ledger, settings, callback=lambda *_: None)
    more = LabelledSettings("table3", sizes=(2, 3), seeds=1, epochs=1)
    (tmp_path / "table3").mkdir()
    with Ledger(tmp_path / "table3" / "ledger.jsonl", more.basis()) as ledger:
        run_labelled(tmp_path, ledger, more, callback=lambda *_: None)
    return tmp_path


def rng_images():
    return np.random.default_rng(5).random((40, 28, 28)).astype(np.float32)


def nested(text):
    """Check that every element is closed where it should be; returns how often each stands."""
    counts: dict[str, int] = {}
    open_ = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, _attrs):
            counts[tag] = counts.get(tag, 0) + 1
            if tag not in VOID:
                open_.append(tag)

        def handle_startendtag(self, tag, _attrs):
            counts[tag] = counts.get(tag, 0) + 1

        def handle_endtag(self, tag):
            assert open_.pop() == tag

    Reader().feed(text)
    assert not open_
    return counts


@pytest.mark.parametrize("pick", ["validation", "test"])
def test_models_of_table1_are_the_very_ones_that_were_picked(root, pick):
    material = gather_material(root, root, pick=pick, keep="validation")
    test = paper_windows(root / "mitdb" / "100").test
    for activation in ACTIVATIONS:
        model = material.picked["mitdb", activation]
        alone = run_paper_protocol(
            root / "mitdb" / "100", model.cell.kernel_size, activation, epochs=3, device="cpu"
        ).fit
        kernel = (alone.last_kernels if pick == "test" else alone.kernels)[0]
        assert model.kernel == pytest.approx(kernel, abs=1e-4)
        assert model.phis == pytest.approx([e.validation_phi for e in alone.history], abs=1e-4)
        if pick == "validation":
            assert model.cell.flithos == pytest.approx(alone.evaluate(test).phi, abs=1e-4)


def test_the_page_stands_alone_and_shows_all_of_it(root):
    text = render(gather_material(root, root, pick="validation", keep="validation"))
    counts = nested(text)
    assert "{{" not in text
    assert not re.search(r'(?:src|href)="(?!data:)|url\(|<script', text)
    assert counts["section"] == 5 + 4 + 1
    # Cluster plot, three aggregates, kernels, one flow of images, and five images of figure 1.
    assert counts["svg"] == 1 + 3 + 1 + 1 + 5
    for name in ACTIVATIONS:
        assert f'class="dots {name}"' in text
    # Table I: 75 lines and a head; table III: two sizes.
    assert counts["tr"] == 76 + 11
    assert text.count("<td>mitdb</td>") == 5
    assert "bonn: there is none" in text
    assert "prcp: record" in text


def test_command_draws_what_there_is(root, tmp_path):
    page = tmp_path / "page.html"
    arguments = ["figures", "--data", root, "--results", root, "-o", page]
    shown = CliRunner().invoke(command, [*map(str, arguments)], catch_exceptions=False)
    assert shown.exit_code == 0
    assert shown.output.endswith(f"{page}\n")
    assert f"not here: ledger {root / 'table2' / 'ledger.jsonl'}: No such file" in shown.output
    nested(page.read_text(encoding="utf-8"))


def test_nothing_at_all_makes_a_page_that_says_so(tmp_path):
    (tmp_path / "table2").mkdir()
    (tmp_path / "table2" / "ledger.jsonl").write_text('{"ledger": "other"}\n')
    text = render(gather_material(tmp_path, tmp_path, pick="test", keep="last"))
    assert text.count("<p class='missing'>Not here.</p>") == 9
    assert "the file is something else" in text
    assert nested(text).get("svg") is None


def test_samples_that_are_not_those_of_the_ledger_are_not_drawn(root):
    record = root / "mitdb" / "100.dat"
    octets = bytearray(record.read_bytes())
    octets[100] ^= 1
    record.write_bytes(bytes(octets))
    material = gather_material(root, root, pick="test", keep="validation")
    assert not material.picked
    assert material.missing["mitdb"]


def test_a_ledger_is_read_while_it_is_written(tmp_path):
    path = tmp_path / "ledger"
    with Ledger(path, {"a": 1}) as ledger:
        ledger.put({"x": 1}, "one", 2)
        assert read_ledger(path) == ({"a": 1}, {("one", 2): {"x": 1}})
    path.write_bytes(path.read_bytes() + b'{"key": ["torn')
    assert read_ledger(path)[1] == {("one", 2): {"x": 1}}
    for content in (b"", b"[1]\n", b"\xff\n"):
        path.write_bytes(content)
        with pytest.raises(SourceError, match="is something else"):
            read_ledger(path)
    with pytest.raises(SourceError, match="No such file"):
        read_ledger(tmp_path / "none")


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 9))
def test_ticks_are_round_even_and_inside(low, span, most):
    found = ticks(low, low + span, most)
    assert len(found) <= most + 1
    assert all(low - 1e-6 * span <= value <= low + span * (1 + 1e-6) for value in found)
    assert np.allclose(np.diff(found), np.diff(found)[:1])
    assert ticks(3, 3) == [3]


@pytest.mark.parametrize("channels", [3, 4])
def test_png_holds_the_pixels(channels):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels)).astype(np.uint8)
    data = png(pixels)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, {}
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert data[at + 8 + length : at + 12 + length] == struct.pack(
            ">I", zlib.crc32(kind + content)
        )
        chunks[kind] = content
        at += 12 + length
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    assert struct.unpack(">IIBB", chunks[b"IHDR"][:10]) == (7, 5, 8, 2 if channels == 3 else 6)
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(5, 1 + 7 * channels)
    assert not rows[:, 0].any()
    assert np.array_equal(rows[:, 1:].reshape(pixels.shape), pixels)


def test_places_of_data():
    plot = Plot((0, 10), (-1, 1), width=340, height=220)
    assert (plot.x(0), plot.x(10)) == (44, 330)
    assert (plot.y(-1), plot.y(1)) == (186, 22)
    plot.stems([0, 0.5, 0, -1], "topk")
    assert plot.parts[0].count("M") == plot.parts[1].count("M") == 2
    plot.dots([1, 11, 2], [0, 0, 5], "relu", 1)
    assert plot.parts[-1].count("M") == 1
    assert "5.0,2.0" in spark(np.array([0.0, 1.0, 0.0]), (0, 2, 10, 4), "topk")
    assert "M5.0 4.0h0" in spark(np.array([3.0]), (0, 2, 10, 4), "topk")
    assert picture(np.zeros((2, 2)), (0, 0, 1, 1)).startswith("<image")
