"""An append-only file of results that survives being cut anywhere."""

from __future__ import annotations

import sys

import pytest

from san_stream.errors import SettingError, SinkError
from san_training.ledger import Ledger

SETTINGS = {"sizes": [1, 2], "epochs": 3}


def filled(path, count=3):
    with Ledger(path, SETTINGS) as ledger:
        for i in range(count):
            ledger.put({"phi": [i, None, 0.5]}, "mitdb", i)
    return path


def test_what_was_written_is_there_again(tmp_path):
    path = filled(tmp_path / "ledger.jsonl")
    before = path.read_bytes()
    with Ledger(path, SETTINGS) as ledger:
        assert ledger.get("mitdb", 1) == {"phi": [1, None, 0.5]}
        assert ledger.get("mitdb", 3) is None
        assert ledger.get("mitdb") is None
        ledger.put({"phi": []}, "mitdb", 1)
        assert ledger.get("mitdb", 1) == {"phi": []}
    assert path.read_bytes().startswith(before)
    with Ledger(path, SETTINGS) as ledger:
        assert ledger.get("mitdb", 1) == {"phi": []}
        assert ledger.damaged == 0


def test_cut_anywhere_it_goes_on(tmp_path):
    whole = filled(tmp_path / "whole").read_bytes()
    path = tmp_path / "cut"
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        with Ledger(path, SETTINGS) as ledger:
            # A line without its newline may be whole all the same.
            kept = [ledger.get("mitdb", i) is not None for i in range(3)]
            lines = max(whole[:cut].count(b"\n") - 1, 0)
            assert kept[:lines] == [True] * lines
            assert sum(kept) - lines in {0, 1}
            ledger.put({"phi": [9]}, "new")
        with Ledger(path, SETTINGS) as ledger:
            assert ledger.get("new") == {"phi": [9]}
            assert [ledger.get("mitdb", i) is not None for i in range(3)] == kept
        assert path.read_bytes().startswith(whole[:cut])


def test_other_settings_and_other_files_are_refused(tmp_path):
    path = filled(tmp_path / "ledger.jsonl")
    before = path.read_bytes()
    with pytest.raises(SettingError, match="was begun with epochs 3, not 4; use another folder"):
        Ledger(path, {**SETTINGS, "epochs": 4})
    for other in (b"text\n", b"[]\n", b'{"a": 1}\n', b"\xff\xfe", b"\n"):
        (tmp_path / "other").write_bytes(other)
        with pytest.raises(SinkError, match="the file is something else"):
            Ledger(tmp_path / "other", SETTINGS)
        assert (tmp_path / "other").read_bytes() == other
    with pytest.raises(SinkError, match="No such file"):
        Ledger(tmp_path / "none" / "ledger", SETTINGS)
    assert path.read_bytes() == before


def test_lines_that_are_no_results_do_not_count(tmp_path):
    path = filled(tmp_path / "ledger.jsonl", 1)
    others = (b'{"key": ["a"]}', b"[1]", b'{"key": 1, "value": {}}', b"\xff")
    others += (
        b'{"key": ["mitdb", 0], "value": {"phi": NaN}}',
        b'{"key": ["mitdb", 0], "value": 1}',
    )
    path.write_bytes(path.read_bytes() + b"\n".join(others) + b"\n")
    with Ledger(path, SETTINGS) as ledger:
        assert ledger.damaged == 6
        assert ledger.get("mitdb", 0) is not None


def test_what_json_cannot_hold_is_not_written(tmp_path):
    with Ledger(tmp_path / "ledger", SETTINGS) as ledger, pytest.raises(ValueError, match="JSON"):
        ledger.put({"phi": float("nan")}, "a")
    assert len((tmp_path / "ledger").read_text().splitlines()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no such locks")
def test_one_writer_at_a_time(tmp_path):
    path = filled(tmp_path / "ledger.jsonl")
    with Ledger(path, SETTINGS), pytest.raises(SinkError, match="another run writes it"):
        Ledger(path, SETTINGS)
    with Ledger(path, SETTINGS) as ledger:
        assert ledger.get("mitdb", 0) is not None


def test_many_at_once(tmp_path):
    path = tmp_path / "ledger"
    with Ledger(path, {}) as ledger:
        ledger.put_all({("a",): {"x": 1}, ("b", 2): {"x": 2}})
    with Ledger(path, {}) as ledger:
        assert (ledger.get("a"), ledger.get("b", 2)) == ({"x": 1}, {"x": 2})
