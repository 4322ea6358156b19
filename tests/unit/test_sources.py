"""WFDB records as sources: the integers, the leads, the pace, and every refusal."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import wfdb

from san_runtime.pace import PacedSource
from san_runtime.sources import open_source
from san_stream.errors import SettingError, SourceError
from san_stream.protocols import Source
from san_stream.types import Chunk, Event

RNG = np.random.default_rng(5)


def record(folder: Path, header: str, data: bytes | None = b"\0" * 80, name: str = "r") -> str:
    """A record of the given header and signal bytes; returns its path."""
    (folder / f"{name}.hea").write_text(header, encoding="utf-8")
    if data is not None:
        (folder / f"{name}.dat").write_bytes(data)
    return str(folder / name)


def collect(source: Source) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray], list[Event]]:
    """Samples and validity of each stream, checked to be without a hole, and the events."""
    samples: dict[int, list[np.ndarray]] = {info.stream: [] for info in source.infos}
    valid: dict[int, list[np.ndarray]] = {info.stream: [] for info in source.infos}
    events = []
    for item in source:
        if isinstance(item, Event):
            events.append(item)
            continue
        assert isinstance(item, Chunk)
        assert item.first_sample == sum(map(len, samples[item.stream]))
        assert item.samples.dtype == np.int32
        samples[item.stream].append(item.samples)
        mask = np.ones(item.samples.shape, bool) if item.valid is None else item.valid
        valid[item.stream].append(mask)
    return (
        {k: np.concatenate(v) for k, v in samples.items()},
        {k: np.concatenate(v) for k, v in valid.items()},
        events,
    )


SIXTEEN = "r 2 250 20\nr.dat 16 200(10)/mV 12 0 0 0 0 I\nr.dat 16 100/uV 0 5 0 0 0 II\n"


class TestEveryRecordingEqualsTheReferenceReader:
    def test_samples_gains_and_names(self, data_root):
        headers = sorted(data_root.glob("*/*.hea"))
        assert headers
        for header in headers:
            path = str(header.with_suffix(""))
            with open_source(path) as source:
                samples, _, _ = collect(source)
            reference = wfdb.rdrecord(path, physical=False, smooth_frames=False)
            rates = list(dict.fromkeys(reference.samps_per_frame))
            for info in source.infos:
                channels = [
                    i for i, n in enumerate(reference.samps_per_frame) if n == rates[info.stream]
                ]
                expected = np.stack([reference.e_d_signal[i] for i in channels], axis=1)
                assert np.array_equal(samples[info.stream], expected), path
                assert info.rate == Fraction(str(reference.fs)) * rates[info.stream]
                for lead, i in zip(info.leads, channels, strict=True):
                    assert lead.gain == reference.adc_gain[i]
                    assert lead.baseline == reference.baseline[i]
                    assert lead.unit == reference.units[i]

    def test_annotations(self, data):
        path = data("mitdb/100")
        with open_source(f"wfdb:{path}", annotator="atr") as source:
            _, _, events = collect(source)
        expected = wfdb.rdann(str(path), "atr")
        assert [event.sample for event in events] == expected.sample.tolist()
        assert [event.symbol for event in events] == expected.symbol
        assert events[0].text == "(N"

    def test_several_rates_become_several_streams(self, data):
        with open_source(str(data("drivedb/drive17a"))) as source:
            assert [info.rate for info in source.infos] == [480, 15, 30]
            assert [len(info.leads) for info in source.infos] == [1, 3, 3]
            with pytest.raises(SourceError, match="3 streams"):
                _ = source.info

    def test_skewed_signal_ends_in_missing_samples(self, data):
        with open_source(str(data("mimicdb/03700181")), channels=["RESP"]) as source:
            _, valid, _ = collect(source)
        assert valid[0].sum() == len(valid[0]) - 4
        assert not valid[0][-4:].any()

    def test_origin_is_the_header_time_as_utc(self, data):
        path = str(data("mimicdb/03700181"))
        assert open_source(path).infos[0].origin == datetime(1994, 8, 15, 17, 27, 45, tzinfo=UTC)
        moved = open_source(path, start=1.6).infos[0].origin
        assert moved == datetime(1994, 8, 15, 17, 27, 46, 600000, tzinfo=UTC)

    def test_doubled_names_are_told_apart(self, data):
        with open_source(str(data("svdb/800"))) as source:
            assert [lead.name for lead in source.info.leads] == ["ECG", "ECG 2"]


class TestFormats:
    @pytest.mark.parametrize(
        ("storage", "bits"), [("16", 16), ("24", 24), ("32", 32), ("80", 8), ("212", 12)]
    )
    def test_written_by_wfdb_read_back_with_range_and_missing_value(self, tmp_path, storage, bits):
        half = 2 ** (bits - 1)
        values = RNG.integers(-half + 1, half, size=(101, 2))
        values[3, 0] = -half
        values[0] = (half - 1, -half + 1)
        wfdb.wrsamp(
            "w", fs=100, units=["mV"] * 2, sig_name=["a", "b"], d_signal=values,
            fmt=[storage] * 2, adc_gain=[1.0, 2.0], baseline=[0, 3], write_dir=str(tmp_path),
        )  # fmt: skip
        with open_source(str(tmp_path / "w")) as source:
            samples, valid, _ = collect(source)
        assert np.array_equal(samples[0], values)
        assert np.argwhere(~valid[0]).tolist() == [[3, 0]]
        lead = source.info.leads[0]
        assert (lead.minimum, lead.maximum, lead.invalid) == (-half, half - 1, -half)

    def test_flac_is_read_in_blocks(self, tmp_path, monkeypatch):
        monkeypatch.setattr("san_runtime.sources.wfdb_record.BLOCK_VALUES", 64)
        values = RNG.integers(-1000, 1000, size=(301, 2))
        wfdb.wrsamp(
            "w", fs=100, units=["mV"] * 2, sig_name=["a", "b"], d_signal=values,
            fmt=["516"] * 2, adc_gain=[1.0, 2.0], baseline=[0, 3], write_dir=str(tmp_path),
        )  # fmt: skip
        with open_source(str(tmp_path / "w")) as source:
            assert np.array_equal(collect(source)[0][0], values)

    def test_differences_are_summed_over_the_whole_record(self, tmp_path):
        steps = np.array([5, 3, -2, 100, -100, 7], np.int8)
        path = record(tmp_path, "r 1 10 6\nr.dat 8 1 8 0 0 0 0 x\n", steps.tobytes())
        whole = collect(open_source(path))[0][0]
        assert whole[:, 0].tolist() == np.cumsum(steps.astype(int)).tolist()
        part = collect(open_source(path, start=0.2, duration=0.3))[0][0]
        assert part[:, 0].tolist() == whole[2:5, 0].tolist()

    def test_defaults_of_the_format(self, tmp_path):
        path = record(tmp_path, "r 1\nr.dat 16\n")
        with open_source(path) as source:
            samples, _, _ = collect(source)
        lead = source.info.leads[0]
        assert source.info.rate == 250
        assert (lead.name, lead.unit, lead.gain, lead.baseline, lead.bits) == (
            "signal 0", "mV", 200.0, 0, 16,
        )  # fmt: skip
        assert len(samples[0]) == 40  # the length follows from the file

    def test_adc_range_beyond_the_storage_range_widens_it(self, tmp_path):
        path = record(tmp_path, "r 1 10 8\nr.dat 80 1 12 1000 0 0 0 x\n")
        lead = open_source(path).info.leads[0]
        assert (lead.minimum, lead.maximum) == (-1048, 3047)

    def test_missing_baseline_is_adc_zero(self, tmp_path):
        leads = open_source(record(tmp_path, SIXTEEN)).info.leads
        assert [lead.baseline for lead in leads] == [10, 5]
        assert [lead.bits for lead in leads] == [12, 16]

    def test_header_free_text_goes_nowhere(self, tmp_path):
        path = record(tmp_path, SIXTEEN + "# 69 M Jane Doe\n")
        assert "Doe" not in repr(open_source(path).infos)


class TestParts:
    def test_channels_by_name_and_number_in_the_order_asked(self, tmp_path):
        data = np.arange(40, dtype="<i2").tobytes()
        source = open_source(record(tmp_path, SIXTEEN, data), channels=["II", "0"])
        assert [lead.name for lead in source.info.leads] == ["II", "I"]
        assert collect(source)[0][0][:2].tolist() == [[1, 0], [3, 2]]

    def test_a_name_wins_over_a_number(self, tmp_path):
        text = "r 2 250 20\nr.dat 16 1 0 0 0 0 0 1\nr.dat 16 1 0 0 0 0 0 0\n"
        source = open_source(record(tmp_path, text), channels=["1"])
        assert source.info.leads[0].name == "1"
        data = np.arange(40, dtype="<i2").tobytes()
        source = open_source(record(tmp_path, text, data), channels=["1"])
        assert collect(source)[0][0][0, 0] == 0

    def test_start_and_duration(self, tmp_path):
        data = np.arange(40, dtype="<i2").tobytes()
        source = open_source(record(tmp_path, SIXTEEN, data), start=0.02, duration=0.04)
        samples = collect(source)[0][0]
        assert samples[:, 0].tolist() == list(range(10, 30, 2))

    def test_chunks_have_the_length_asked_for(self, tmp_path):
        source = open_source(record(tmp_path, SIXTEEN), chunk=0.028)
        assert [len(item) for item in source] == [7, 7, 6]

    def test_repeat_runs_the_sample_index_on_and_repeats_events(self, tmp_path):
        data = np.arange(40, dtype="<i2").tobytes()
        path = record(tmp_path, SIXTEEN, data)
        wfdb.wrann("r", "atr", np.array([3, 15]), symbol=["N", "V"], write_dir=str(tmp_path))
        once, _, events = collect(open_source(path, annotator="atr"))
        thrice, _, more = collect(open_source(path, annotator="atr", repeat=3, chunk=0.02))
        assert np.array_equal(thrice[0], np.concatenate([once[0]] * 3))
        assert [e.sample for e in events] == [3, 15]
        assert [e.sample for e in more] == [3, 15, 23, 35, 43, 55]

    def test_events_come_before_the_chunk_that_holds_them(self, tmp_path):
        path = record(tmp_path, SIXTEEN)
        wfdb.wrann("r", "atr", np.array([3, 15]), symbol=["N", "V"], write_dir=str(tmp_path))
        kinds = [
            item.sample if isinstance(item, Event) else "chunk"
            for item in open_source(path, annotator="atr", chunk=0.04)
        ]
        assert kinds == [3, "chunk", 15, "chunk"]

    def test_events_move_with_the_start_and_stay_inside(self, tmp_path):
        path = record(tmp_path, SIXTEEN)
        wfdb.wrann("r", "atr", np.array([3, 15]), symbol=["N", "V"], write_dir=str(tmp_path))
        source = open_source(path, annotator="atr", start=0.02)
        assert [item.sample for item in source if isinstance(item, Event)] == [10]

    def test_memory_stays_bounded(self, tmp_path, monkeypatch):
        monkeypatch.setattr("san_runtime.sources.wfdb_record.BLOCK_VALUES", 8)
        data = np.arange(40, dtype="<i2").tobytes()
        source = open_source(record(tmp_path, SIXTEEN, data))
        sizes = [len(item) for item in source]
        assert max(sizes) == 4
        assert collect(source)[0][0].ravel().tolist() == list(range(40))


class FakeTime:
    """A clock that only sleeping moves, and that oversleeps a little."""

    def __init__(self, late: float = 0.0) -> None:
        self.now = 1000.0
        self.late = late

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds + self.late


class TestPace:
    @pytest.mark.parametrize("late", [0.0, 0.003])
    @pytest.mark.parametrize("speed", [0.5, 1, 40])
    def test_each_piece_comes_when_its_last_sample_is_due_and_nothing_drifts(
        self, tmp_path, speed, late
    ):
        time = FakeTime(late)
        inner = open_source(record(tmp_path, SIXTEEN), chunk=0.02, repeat=50)
        paced = PacedSource(inner, speed, clock=time.clock, sleep=time.sleep)
        for item in paced:
            due = 1000.0 + (item.first_sample + len(item)) / (250 * speed)
            assert due - 1e-9 <= time.now <= due + late + 1e-9

    def test_streams_of_two_rates_keep_one_time(self, tmp_path):
        text = "r 2 10 20\nr.dat 16x4 1 0 0 0 0 0 a\nr.dat 16 1 0 0 0 0 0 b\n"
        time = FakeTime()
        inner = open_source(record(tmp_path, text, b"\0" * 200), chunk=0.5)
        for item in PacedSource(inner, 1, clock=time.clock, sleep=time.sleep):
            rate = inner.infos[item.stream].rate
            assert time.now - 1000 == pytest.approx(float((item.first_sample + len(item)) / rate))

    def test_real_time_is_kept(self, tmp_path):
        import time

        begin = time.monotonic()
        with open_source(record(tmp_path, SIXTEEN), speed=0.5) as source:
            samples = collect(source)[0][0]
        assert len(samples) == 20
        assert 0.16 <= time.monotonic() - begin < 10

    @pytest.mark.parametrize("speed", [0, -1, float("nan"), float("inf"), "fast"])
    def test_impossible_speeds(self, tmp_path, speed):
        with pytest.raises(SettingError, match="speed"):
            open_source(record(tmp_path, SIXTEEN), speed=speed)


BAD_HEADERS = {
    "empty": ("", "no record line"),
    "comments only": ("# nothing\n", "no record line"),
    "rate 0": ("r 1 0 20\nr.dat 16\n", "rate 0 Hz must be above 0"),
    "rate negative": ("r 1 -360 20\nr.dat 16\n", "rate -360 Hz must be above 0"),
    "rate text": ("r 1 fast 20\nr.dat 16\n", "rate 'fast' is not a number"),
    "rate nan": ("r 1 nan 20\nr.dat 16\n", "rate 'nan'"),
    "no signals": ("r 0 250 20\n", "number of signals 0"),
    "no number of signals": ("r\n", "number of signals is missing"),
    "no samples": ("r 1 250 0\nr.dat 16\n", "0 samples"),
    "negative length": ("r 1 250 -4\nr.dat 16\n", "number of samples -4"),
    "too few signal lines": ("r 2 250 20\nr.dat 16\n", "2 signals, but 1 signal lines"),
    "format unknown": ("r 1 250 20\nr.dat 17\n", "unknown format '17'"),
    "format text": ("r 1 250 20\nr.dat x\n", "unknown format 'x'"),
    "format missing": ("r 1 250 20\nr.dat\n", "format is missing"),
    "gain text": ("r 1 250 20\nr.dat 16 much\n", "gain 'much'"),
    "gain nan": ("r 1 250 20\nr.dat 16 nan\n", "gain 'nan'"),
    "gain infinite": ("r 1 250 20\nr.dat 16 1e999\n", "gain '1e999'"),
    "baseline text": ("r 1 250 20\nr.dat 16 1(x)\n", "baseline 'x'"),
    "baseline huge": ("r 1 250 20\nr.dat 16 1(3000000000)\n", "baseline 3000000000"),
    "resolution huge": ("r 1 250 20\nr.dat 16 1 99\n", "ADC resolution 99"),
    "per frame 0": ("r 1 250 20\nr.dat 16x0\n", "samples a frame 0"),
    "unit too long": ("r 1 250 20\nr.dat 16 1/" + "u" * 40 + "\n", "unit"),
    "parent directory": ("r 1 250 20\n../x.dat 16\n", "'../x.dat' leaves its directory"),
    "absolute": ("r 1 250 20\n/etc/passwd 16\n", "'/etc/passwd' leaves its directory"),
    "backslash": ("r 1 250 20\n..\\x.dat 16\n", "leaves its directory"),
    "drive": ("r 1 250 20\nc:x.dat 16\n", "leaves its directory"),
    "remote": ("r 1 250 20\ns3://bucket/x 16\n", "leaves its directory"),
    "standard input": ("r 1 250 20\n- 16\n", "is no file name"),
    "segments": ("r/3 1 250 20\na 10\n", "3 segments"),
    "record leaves": ("../r 1 250 20\nr.dat 16\n", "leaves its directory"),
    "file split": (
        "r 3 250 2\nr.dat 16\nq.dat 16\nr.dat 16\n",
        "do not stand together",
    ),
    "formats mixed": ("r 2 250 2\nr.dat 16\nr.dat 212\n", "others of 'r.dat' have 16"),
    "date": ("r 1 250 20 10:00:00 31/02/2001\nr.dat 16\n", "no such time"),
    "time": ("r 1 250 20 noon 01/02/2001\nr.dat 16\n", "base time"),
    "no .dat": ("r 1 250 20\nother.dat 16\n", "no signal file 'other.dat'"),
    "short .dat": ("r 1 250 41\nr.dat 16\n", "80 bytes hold 40 frames, the header says 41"),
    "offset beyond the file": ("r 1 250 1\nr.dat 16+90\n", "hold 0 frames"),
}


class TestRefusals:
    @pytest.mark.parametrize("case", BAD_HEADERS)
    def test_bad_header(self, tmp_path, case):
        text, message = BAD_HEADERS[case]
        path = record(tmp_path, text)
        with pytest.raises(SourceError) as caught:
            open_source(path)
        assert message in str(caught.value)
        assert str(tmp_path) in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_missing_record(self, tmp_path):
        with pytest.raises(SourceError, match=r"no header file 'gone\.hea'"):
            open_source(str(tmp_path / "gone"))

    def test_binary_header(self, tmp_path):
        (tmp_path / "r.hea").write_bytes(bytes(range(256)))
        with pytest.raises(SourceError):
            open_source(str(tmp_path / "r"))

    def test_huge_header(self, tmp_path):
        (tmp_path / "r.hea").write_bytes(b"# " + b"x" * 2**20)
        with pytest.raises(SourceError, match="more than 1048576 bytes"):
            open_source(str(tmp_path / "r"))

    @pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read all")
    def test_unreadable_signal_file(self, tmp_path):
        path = record(tmp_path, SIXTEEN)
        (tmp_path / "r.dat").chmod(0)
        with pytest.raises(SourceError, match="Permission denied"):
            open_source(path)

    def test_file_that_shrinks_while_it_is_read(self, tmp_path):
        source = open_source(record(tmp_path, SIXTEEN))
        (tmp_path / "r.dat").write_bytes(b"\0" * 10)
        with pytest.raises(SourceError, match="cannot be read"):
            list(source)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"channels": ["V9"]}, "no channel 'V9'"),
            ({"channels": ["2"]}, "no channel '2'"),
            ({"channels": ["-1"]}, "no channel '-1'"),
            ({"channels": ["0", "I"]}, "asked for twice"),
            ({"channels": []}, "no channel"),
            ({"start": 0.08}, "start 0.08 s is not before its end"),
            ({"start": -1}, "start -1 s"),
            ({"start": float("nan")}, "start nan s"),
            ({"duration": float("inf")}, "duration inf s"),
            ({"duration": 0.0001}, "holds no sample"),
            ({"repeat": -1}, "repeat -1"),
            ({"annotator": "atr"}, "no annotation file 'r.atr'"),
            ({"annotator": "../x"}, "annotator '../x'"),
        ],
    )
    def test_bad_options(self, tmp_path, options, message):
        with pytest.raises((SourceError, SettingError)) as caught:
            open_source(record(tmp_path, SIXTEEN), **options)
        assert message in str(caught.value)

    def test_damaged_annotations(self, tmp_path):
        path = record(tmp_path, SIXTEEN)
        (tmp_path / "r.atr").write_bytes(b"\x01\xfc\xff\xff\xff")
        with pytest.raises(SourceError, match="annotations"):
            open_source(path, annotator="atr")

    @pytest.mark.parametrize("url", ["edf:x", "http://x/y", "wfdb:", "serial:/dev/x"])
    def test_unknown_schemes(self, url):
        with pytest.raises(SourceError, match="source"):
            open_source(url)

    def test_path_that_the_reader_would_take_for_an_address(self, tmp_path):
        with pytest.raises(SourceError, match="are not read"):
            open_source(str(tmp_path / "a::b"))
