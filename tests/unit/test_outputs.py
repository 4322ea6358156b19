"""What a WFDB record cannot hold: changed or left out, told, and readable by both readers."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import wfdb

from san_runtime.cli import main
from san_runtime.encoder import Encoder
from san_runtime.records import WfdbWriter
from san_runtime.sources import open_source
from san_stream.errors import SinkError
from san_stream.types import Event, Lead, StreamInfo

ROWS = np.random.default_rng(5).integers(-900, 900, size=(100, 1)).astype(np.int32)


LEADS = (Lead("I"),)


def write(folder: Path, events=(), leads=LEADS, **options) -> WfdbWriter:
    """A finished record of 100 samples, named r."""
    info = StreamInfo(Fraction(50), leads, **options)
    writer = WfdbWriter(folder / "r", info)
    samples = np.repeat(ROWS, len(leads), axis=1)
    writer.write(samples, np.ones(samples.shape, np.bool_))
    for event in events:
        writer.event(event)
    writer.finish(folder / "r")
    return writer


class TestNotes:
    @pytest.mark.parametrize("character", ["x", "\u00e9", "\u0142", "\u5fc3"])
    @pytest.mark.parametrize("count", [1, 126, 127, 128, 254, 255, 256, 300])
    def test_of_any_length_make_no_annotations_of_their_own(self, tmp_path, character, count):
        note = character * count
        if len(note.encode()) > 1024:
            pytest.skip("longer than an event's text may be")
        events = [Event(3, "N", text=note), Event(9, "V", text="b"), Event(10, "N")]
        writer = write(tmp_path, events)
        found = wfdb.rdann(str(tmp_path / "r"), "atr")
        assert found.sample.tolist() == [3, 9, 10]
        assert found.symbol == ["N", "V", "N"]
        encoding = "latin-1" if character < "\u0100" else "utf-8"
        kept = found.aux_note[0].encode("latin-1").decode(encoding)
        size = len(character.encode(encoding))
        assert kept == character * min(count, 254 // size)
        told = ["record r: 1 notes of events are cut to 254 bytes"] if count > 254 // size else []
        assert writer.notices == told
        assert found.aux_note[1:] == ["b", ""]


class TestFarEvents:
    def test_are_left_out_and_counted(self, tmp_path):
        events = [Event(2**61, "V"), Event(99, "N"), Event(100, "V"), Event(0, "N")]
        writer = write(tmp_path, events)
        assert wfdb.rdann(str(tmp_path / "r"), "atr").sample.tolist() == [0, 99]
        assert writer.notices == [
            "record r: 2 events at or after the last sample's end (100) are left out"
        ]

    def test_alone_make_no_annotation_file(self, tmp_path):
        write(tmp_path, [Event(2**61, "V")])
        assert sorted(p.name for p in tmp_path.iterdir()) == ["r.dat", "r.hea"]

    def test_are_told_by_the_command(self, tmp_path, capsys):
        encoder = Encoder(StreamInfo(Fraction(50), (Lead("I", "mm Hg"),)))
        messages = encoder.push(Event(2**40, "N", text="x")) + encoder.push(ROWS)
        (tmp_path / "x.san").write_bytes(b"".join(messages + encoder.close()))
        assert main(["decode", str(tmp_path / "x.san"), str(tmp_path / "r.hea"), "--json"]) == 0
        assert capsys.readouterr().err == (
            "san-stream: warning: record r, lead 0: unit 'mm Hg' became 'mm_Hg'\n"
            "san-stream: warning: record r: 1 events at or after the last sample's end (100) "
            "are left out\n"
        )


class TestHeader:
    @pytest.mark.parametrize(
        ("unit", "put"),
        [
            ("mm Hg", "mm_Hg"), ("", "NU"), (" ", "_"), ("\u00b5V", "uV"), ("\u03bcV", "uV"),
            ("\u00b0C", "_C"), ("a.u.", "a_u_"), ("m/s^2", "m/s^2"), ("%", "%"), ("(x)", "_x_"),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("name", ["", " ", "a b", " x ", "0", "-1", "#", "\u5fc3"])
    def test_units_and_names_read_back(self, tmp_path, unit, put, name):
        leads = (Lead("first", "mV"), Lead(name, unit, -0.001, -7, 12), Lead("last", "mV"))
        writer = write(tmp_path, leads=leads)
        described = name.strip() or "signal 1"
        with open_source(str(tmp_path / "r")) as source:
            read = [(x.name, x.unit, x.gain, x.baseline, x.bits) for x in source.info.leads]
        assert read == [
            ("first", "mV", 200.0, 0, 16),
            (described, put, -0.001, -7, 12),
            ("last", "mV", 200.0, 0, 16),
        ]
        found = wfdb.rdheader(str(tmp_path / "r"))
        assert found.units == ["mV", put, "mV"]
        assert (found.adc_res[1], found.baseline[1], found.block_size[1]) == (12, -7, 0)
        if described.isascii():
            assert found.sig_name == ["first", described, "last"]
        assert len(writer.notices) == (unit != put) + (name != described)

    def test_an_early_year_has_four_digits(self, tmp_path):
        write(tmp_path, origin=datetime(7, 3, 2, 1, 2, 3, 45, tzinfo=UTC))
        with open_source(str(tmp_path / "r")) as source:
            assert source.info.origin == datetime(7, 3, 2, 1, 2, 3, 45, tzinfo=UTC)

    def test_one_that_would_not_read_back_harms_no_older_record(self, tmp_path, monkeypatch):
        write(tmp_path)
        before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
        monkeypatch.setattr("san_runtime.records._decimal", lambda _: "1e")
        writer = WfdbWriter(tmp_path / "r", StreamInfo(Fraction(50), (Lead("I"),)))
        writer.write(ROWS, np.ones(ROWS.shape, np.bool_))
        with pytest.raises(SinkError, match="would not read back"):
            writer.finish(tmp_path / "r")
        writer.abort()
        assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
