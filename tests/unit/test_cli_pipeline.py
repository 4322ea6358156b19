"""The pipeline with a source of its own: gaps, several streams, errors, signals in time."""

from __future__ import annotations

import os
import signal
import socket
import threading
from fractions import Fraction

import numpy as np
import pytest
import wfdb

from san_runtime.cli import main
from san_runtime.decoding import decode_file
from san_runtime.files import all_streams
from san_runtime.inspect_file import inspect
from san_runtime.interrupt import Interrupt
from san_runtime.pipeline import EncoderSettings, run
from san_runtime.sinks.file import FileSink
from san_stream.decode import Decoder
from san_stream.errors import SampleError, SettingError, SinkError, SourceError
from san_stream.profiles import Lossless
from san_stream.types import Chunk, Event, Gap, Lead, StreamInfo

INFO = StreamInfo(Fraction(50), (Lead("I"), Lead("II", invalid=-1000)))
ROWS = np.random.default_rng(9).integers(-900, 900, size=(2000, 2)).astype(np.int32)


class ListSource:
    """A source that yields what it was given; an exception in the list is raised."""

    def __init__(self, items, infos=(INFO,)):
        self.infos = tuple(infos)
        self.items = items
        self.closed = False

    @property
    def info(self):
        return self.infos[0]

    def __iter__(self):
        for item in self.items:
            if isinstance(item, BaseException):
                raise item
            if callable(item):
                item()
            else:
                yield item

    def close(self):
        self.closed = True

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def chunk(first: int, count: int, stream: int = 0) -> Chunk:
    return Chunk(first, ROWS[first % 1000 : first % 1000 + count], stream=stream)


GAPPED = [chunk(0, 300), Gap(300, 200), Event(510, "V", 1, num=3), chunk(500, 100), chunk(600, 7)]


class TestGaps:
    def test_stay_gaps_and_are_no_damage(self, tmp_path, capsys):
        path = str(tmp_path / "g.san")
        summary = run(ListSource(GAPPED), Lossless("tiny"), [path])
        stream = summary.streams[0]
        assert (stream.samples, stream.gaps, stream.events) == (407, 1, 1)
        assert main(["verify", path]) == 0
        assert "1 gaps, 1 events, digest ok" in capsys.readouterr().out
        found = inspect(path)["streams"][0]
        assert (found["gaps"], found["missing_samples"], found["lost_samples"]) == (1, 200, 0)

    def test_become_missing_samples_in_a_record_and_absent_rows_in_a_table(self, tmp_path):
        path = str(tmp_path / "g.san")
        run(ListSource(GAPPED), Lossless("tiny"), [path])
        decode_file(path, str(tmp_path / "g.hea"))
        record = wfdb.rdrecord(str(tmp_path / "g"), physical=False)
        assert record.fmt == ["24", "24"]  # format 16 has no value left for missing samples
        assert np.array_equal(record.d_signal[:300], ROWS[:300])
        assert (record.d_signal[300:500] == -(2**23)).all()
        assert np.array_equal(record.d_signal[500:], ROWS[500:607])
        events = wfdb.rdann(str(tmp_path / "g"), "atr")
        assert (events.sample[0], events.symbol[0], events.chan[0], events.num[0]) == (
            510,
            "V",
            1,
            3,
        )
        decode_file(path, str(tmp_path / "g.csv"))
        rows = (tmp_path / "g.csv").read_text(encoding="utf-8").splitlines()
        assert [row.split(",")[0] for row in rows[300:303]] == ["299", "500", "501"]
        decode_file(path, str(tmp_path / "g.npy"), digital=True)
        array = np.load(tmp_path / "g.npy")
        assert (array[300:500] == (-(2**31), -1000)).all()
        assert np.array_equal(array[500:], ROWS[500:607])

    def test_stream_that_begins_late_keeps_its_time(self, tmp_path):
        from datetime import UTC, datetime

        origin = datetime(2020, 1, 1, 23, 59, 50, tzinfo=UTC)
        info = StreamInfo(Fraction(50), INFO.leads, origin)
        path = str(tmp_path / "late.san")
        run(ListSource([chunk(1000, 100)], [info]), Lossless("tiny"), [path])
        decode_file(path, str(tmp_path / "late.hea"))
        record = wfdb.rdrecord(str(tmp_path / "late"), physical=False)
        assert str(record.base_datetime) == "2020-01-02 00:00:10"
        assert len(record.d_signal) == 100

    def test_a_gap_that_would_fill_the_disk_is_refused_but_for_tables(self, tmp_path):
        path = str(tmp_path / "g.san")
        items = [chunk(0, 50), Gap(50, 2**40), Chunk(50 + 2**40, ROWS[:50])]
        run(ListSource(items), Lossless("tiny"), [path])
        for name in ("o.hea", "o.npy"):
            with pytest.raises(SinkError, match=r"gaps of 1099511627776 samples .* 2147483648"):
                decode_file(path, str(tmp_path / name))
        assert [p.name for p in tmp_path.iterdir()] == ["g.san"]
        decode_file(path, str(tmp_path / "o.csv"))
        assert len((tmp_path / "o.csv").read_text(encoding="utf-8").splitlines()) == 101

    def test_many_gaps_share_one_budget(self, tmp_path, monkeypatch):
        monkeypatch.setattr("san_runtime.decoding.MAX_FILL", 100)
        items = [chunk(0, 50), Gap(50, 60), chunk(110, 50), Gap(160, 40), chunk(200, 50)]
        path = str(tmp_path / "g.san")
        run(ListSource(items), Lossless("tiny"), [path])
        assert decode_file(path, str(tmp_path / "whole.npy")).samples == [250]
        run(ListSource([*items, Gap(250, 1), chunk(251, 50)]), Lossless("tiny"), [path], force=True)
        for name in ("o.hea", "o.npy"):
            with pytest.raises(SinkError, match=r"gaps of 101 samples in all .* at most 100"):
                decode_file(path, str(tmp_path / name))
        assert sorted(p.name for p in tmp_path.iterdir()) == ["g.san", "whole.npy"]
        assert decode_file(path, str(tmp_path / "o.csv")).samples == [301]

    @pytest.mark.parametrize("first", [1000, 2**60])
    def test_a_table_counts_samples_as_the_stream_does(self, tmp_path, first):
        from datetime import UTC, datetime

        info = StreamInfo(Fraction(50), INFO.leads, datetime(2020, 1, 1, tzinfo=UTC))
        items = [Chunk(first, ROWS[:60]), Gap(first + 60, 5), Chunk(first + 65, ROWS[:1])]
        run(ListSource(items, [info]), Lossless("tiny"), [str(tmp_path / "l.san")])
        decode_file(str(tmp_path / "l.san"), str(tmp_path / "l.csv"))
        rows = (tmp_path / "l.csv").read_text(encoding="utf-8").splitlines()[1:]
        found = [int(row.split(",")[0]) for row in rows]
        assert found == [*range(first, first + 60), first + 65]

    def test_a_salvaged_table_counts_samples_as_the_stream_does(self, tmp_path):
        path = tmp_path / "s.san"
        settings = EncoderSettings(live=True, block=50, reset=1.0)
        run(ListSource([chunk(1000, 300)]), Lossless("tiny"), [str(path)], settings=settings)
        data = bytearray(path.read_bytes())
        data[len(data) // 4] ^= 1
        path.write_bytes(data)
        decode_file(str(path), str(tmp_path / "s.csv"), salvage=True)
        rows = (tmp_path / "s.csv").read_text(encoding="utf-8").splitlines()[1:]
        assert 0 < len(rows) < 300
        for row in rows:
            at, *values = row.split(",")
            digital = [round(200 * float(value)) for value in values]
            assert digital == ROWS[int(at) - 1000].tolist()


class TestWriters:
    @pytest.mark.parametrize(
        ("low", "high", "invalid", "fmt"),
        [
            (-(2**15), 2**15 - 1, -(2**15), "16"),
            (-(2**15), 2**15 - 1, None, "24"),
            (0, 2**15, None, "24"),
            (-(2**23), 2**23 - 1, None, "32"),
            (-(2**31), 2**31 - 1, -(2**31), "32"),
        ],
    )
    def test_narrowest_format(self, tmp_path, low, high, invalid, fmt):
        lead = Lead("x", minimum=low, maximum=high, invalid=invalid, bits=32)
        first = low + 1 if invalid == low else low
        samples = np.array([[first], [high], [0]], np.int32)
        path = str(tmp_path / "w.san")
        info = StreamInfo(Fraction(1, 3), (lead,))
        run(ListSource([Chunk(0, samples)], [info]), Lossless("tiny"), [path])
        decode_file(path, str(tmp_path / "w.hea"))
        record = wfdb.rdrecord(str(tmp_path / "w"), physical=False)
        assert record.fmt == [fmt]
        assert np.array_equal(record.d_signal, samples)
        assert record.fs == pytest.approx(1 / 3)

    def test_the_one_value_that_a_record_cannot_hold(self, tmp_path):
        lead = Lead("x", minimum=-(2**31), maximum=2**31 - 1, bits=32)
        path = str(tmp_path / "w.san")
        samples = np.array([[5], [-(2**31)]], np.int32)
        run(
            ListSource([Chunk(0, samples)], [StreamInfo(Fraction(1), (lead,))]),
            Lossless("tiny"),
            [path],
        )
        with pytest.raises(SampleError, match="lead 'x', sample 1 is -2147483648"):
            decode_file(path, str(tmp_path / "w.hea"))
        assert [p.name for p in tmp_path.iterdir()] == ["w.san"]

    def test_odd_gains_rates_and_symbols(self, tmp_path):
        lead = Lead("a b", "m/s^2", 4079702243.3775, -26, 12)
        path = str(tmp_path / "w.san")
        items = [Event(1, "Zzz", text="note"), Event(2, "N"), chunk(0, 60)]
        items[2] = Chunk(0, ROWS[:60, :1])
        info = StreamInfo(Fraction("15.5"), (lead,))
        run(ListSource(items, [info]), Lossless("tiny"), [path])
        decode_file(path, str(tmp_path / "w.hea"))
        record = wfdb.rdheader(str(tmp_path / "w"))
        assert record.adc_gain == [4079702243.3775]
        assert (record.units, record.sig_name, record.fs) == (["m/s^2"], ["a b"], 15.5)
        events = wfdb.rdann(str(tmp_path / "w"), "atr")
        assert events.symbol == ['"', "N"]
        assert events.aux_note[0] == "Zzz note"

    def test_an_older_record_leaves_no_annotations_to_the_new_one(self, tmp_path):
        path = str(tmp_path / "w.san")
        run(ListSource(GAPPED), Lossless("tiny"), [path])
        decode_file(path, str(tmp_path / "o.hea"))
        assert (tmp_path / "o.atr").exists()
        run(ListSource([chunk(0, 99)]), Lossless("tiny"), [path], force=True)
        decode_file(path, str(tmp_path / "o.hea"), force=True)
        assert not (tmp_path / "o.atr").exists()


class TestErrors:
    def test_the_source_fails_at_once(self, tmp_path):
        source = ListSource([SourceError("broken")])
        with pytest.raises(SourceError, match="broken"):
            run(source, Lossless("tiny"), [str(tmp_path / "x.san")])
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("keep", [True, False])
    def test_the_source_fails_on_the_way(self, tmp_path, keep):
        path = tmp_path / "x.san"
        source = ListSource([chunk(0, 500), SourceError("broken")])
        settings = EncoderSettings(live=True)
        with pytest.raises(SourceError, match="broken"):
            run(source, Lossless("tiny"), [str(path)], settings=settings, keep=keep)
        assert path.exists() == keep
        if keep:  # the stream is ended: what came before the error is whole
            assert main(["verify", str(path), "--quiet"]) == 0
            assert main(["decode", str(path), str(tmp_path / "x.npy")]) == 0
            assert len(np.load(tmp_path / "x.npy")) == 500

    @pytest.mark.parametrize("failing", [SourceError("broken"), chunk(9999, 1)])
    def test_receivers_get_the_end_and_a_partial_file_goes(self, tmp_path, failing):
        second = StreamInfo(Fraction(50), INFO.leads, stream=1)
        source = ListSource([chunk(0, 500), chunk(0, 70, stream=1), failing], [INFO, second])
        received = bytearray()
        with socket.create_server(("127.0.0.1", 0)) as server:

            def receive() -> None:
                connection = server.accept()[0]
                with connection:
                    while data := connection.recv(65536):
                        received.extend(data)

            thread = threading.Thread(target=receive)
            thread.start()
            urls = [str(tmp_path / "x.san"), f"tcp://127.0.0.1:{server.getsockname()[1]}"]
            with pytest.raises((SourceError, SampleError), match=r"broken|begins at 9999"):
                run(source, Lossless("tiny"), urls, keep=False)
            thread.join()
        assert list(tmp_path.iterdir()) == []
        decoder = Decoder()
        decoder.push(bytes(received))
        decoder.close()
        assert [(s.ended, s.digest_ok, s.position) for s in all_streams(decoder)] == [
            (True, True, 500),
            (True, True, 70),
        ]

    def test_a_sink_that_fails_too_hides_neither_the_error_nor_the_other_ends(
        self, tmp_path, monkeypatch
    ):
        class Failing(FileSink):
            broken = False

            def write(self, message: bytes) -> None:
                if self.broken:
                    raise SinkError("full")
                super().write(message)

        sinks = []

        def breaks() -> None:
            sinks[0].broken = True

        monkeypatch.setattr("san_runtime.sinks.file.FileSink", Failing)
        items = [chunk(0, 500), breaks, SourceError("broken")]
        urls = [str(tmp_path / "a.san"), str(tmp_path / "b.san")]
        with pytest.raises(SourceError, match="broken"):
            run(
                ListSource(items), Lossless("tiny"), urls, opened=lambda _, sink: sinks.append(sink)
            )
        assert main(["verify", urls[0], "--quiet"]) == 1
        assert main(["verify", urls[1], "--quiet"]) == 0

    def test_samples_out_of_place(self, tmp_path):
        with pytest.raises(SampleError, match="begins at 600, expected 500"):
            run(ListSource([chunk(0, 500), chunk(600, 1)]), Lossless("tiny"), [str(tmp_path / "x")])

    def test_no_output(self):
        with pytest.raises(SettingError, match="no output"):
            run(ListSource([]), Lossless("tiny"), [])

    def test_one_bad_output_leaves_the_others_unmade(self, tmp_path):
        urls = [str(tmp_path / "a.san"), str(tmp_path / "gone" / "b.san")]
        with pytest.raises(SinkError, match="no folder"):
            run(ListSource([chunk(0, 5)]), Lossless("tiny"), urls)
        assert list(tmp_path.iterdir()) == []

    def test_reset_seconds(self, tmp_path):
        for reset in (float("nan"), 0.0, 2.0**40):
            with pytest.raises(SettingError, match="reset"):
                run(
                    ListSource([]), Lossless("tiny"), [str(tmp_path / "x")],
                    settings=EncoderSettings(reset=reset),
                )  # fmt: skip


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
class TestInterrupt:
    def test_between_messages_the_stream_is_ended_whole(self, tmp_path):
        path = str(tmp_path / "x.san")
        source = ListSource(
            [chunk(0, 300), lambda: os.kill(os.getpid(), signal.SIGINT), chunk(300, 300)]
        )
        summary = run(source, Lossless("tiny"), [path])
        assert summary.interrupted == 130
        assert summary.streams[0].samples == 300
        assert main(["verify", path, "--quiet"]) == 0

    def test_outside_its_block_a_signal_waits(self):
        with Interrupt() as interrupt:
            os.kill(os.getpid(), signal.SIGINT)
            assert interrupt.status == 130
            with pytest.raises(KeyboardInterrupt), interrupt.raising():
                pytest.fail("the block must not run")

    def test_a_second_signal_acts_at_once(self):
        with Interrupt():
            os.kill(os.getpid(), signal.SIGTERM)
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGTERM)

    def test_handlers_are_put_back(self):
        before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
        with Interrupt():
            assert signal.getsignal(signal.SIGINT) != before[0]
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before

    def test_an_ignored_hangup_stays_ignored(self):
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            with Interrupt() as interrupt:
                os.kill(os.getpid(), signal.SIGHUP)
                assert interrupt.status == 0
        finally:
            signal.signal(signal.SIGHUP, before)

    def test_other_threads_touch_no_handler(self, tmp_path):
        failed = []

        def work() -> None:
            try:
                run(ListSource([chunk(0, 99)]), Lossless("tiny"), [str(tmp_path / "x")])
            except ValueError as error:
                failed.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert failed == []
        assert (tmp_path / "x").exists()
