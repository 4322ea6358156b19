from __future__ import annotations

import json

from click.testing import CliRunner

from san_stream.errors import SettingError, SinkError, SourceError
from san_stream.kernels import Kernels
from san_training.cli import command


def invoke(*arguments):
    return CliRunner().invoke(command, [str(a) for a in arguments])


QUICK = ("--size", 31, "--epochs", 2, "--restarts", 1, "--channels", "II")


def test_train_writes_a_model(one_lead, tmp_path):
    output = tmp_path / "model.json"
    result = invoke(one_lead, "-o", output, *QUICK)
    assert result.exit_code == 0, result.output
    model = Kernels.load(output)
    assert [s.leads for s in model.sets] == [("II",)]
    assert "II: 31 taps, validation φ 0." in result.output
    assert str(output) in result.output


def test_report_as_json(one_lead, tmp_path):
    output = tmp_path / "model.json"
    result = invoke(one_lead, "-o", output, *QUICK, "--free", "--json")
    told = json.loads(result.output)
    model = Kernels.load(output)
    assert told["hash"] == model.content_hash
    assert told["sizes"] == {"II": [31]}
    assert told["figures"] == model.provenance["figures"]
    assert model.sets[0].baseline is not None


def test_existing_output_is_kept_unless_forced(one_lead, tmp_path):
    output = tmp_path / "model.json"
    output.write_text("mine")
    result = invoke(one_lead, "-o", output, *QUICK)
    assert isinstance(result.exception, SinkError)
    assert str(result.exception).endswith("exists: --force replaces it")
    assert output.read_text() == "mine"
    assert invoke(one_lead, "-o", output, *QUICK, "--force").exit_code == 0
    Kernels.load(output)


def test_errors_leave_nothing_behind(one_lead, tmp_path):
    output = tmp_path / "model.json"
    for arguments, error in (
        ((tmp_path / "none", "-o", output), SourceError),
        ((one_lead, "-o", tmp_path / "none" / "model.json"), SinkError),
        ((one_lead, "-o", tmp_path), SinkError),
        ((one_lead, "-o", output, "--start", "nan"), SettingError),
        ((one_lead, "-o", output, "--duration", "-1"), SettingError),
        ((one_lead, "-o", output, "--channels", "V9"), SourceError),
        ((one_lead, "-o", output, "--device", "gpu", "--size", 31), SettingError),
    ):
        assert isinstance(invoke(*arguments).exception, error), arguments
    assert not output.exists()
    assert not list(tmp_path.glob("*.partial"))


def test_output_that_cannot_be_written(one_lead, tmp_path, monkeypatch):
    def fail(self, path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Kernels, "save", fail)
    result = invoke(one_lead, "-o", tmp_path / "model.json", *QUICK)
    assert isinstance(result.exception, SinkError)
    assert str(result.exception).endswith("model.json: Permission denied")
