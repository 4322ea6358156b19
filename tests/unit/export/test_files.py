"""Writing models: names, all or none, and the command."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from click.testing import CliRunner

from san_export import export_model, load_model
from san_export.cli import command
from san_stream.errors import ModelError, SinkError, SourceError
from san_stream.kernels import Kernel, Kernels, KernelSet

SMALL = KernelSet((Kernel((1, 4, -5), 3),), 4, 2)
ONE = Kernels((SMALL,), Fraction(360))


@pytest.mark.parametrize("name", ["beat", "beat.onnx"])
def test_one_set(tmp_path, name):
    files = export_model(ONE, tmp_path / name)
    assert [file.name for file in files] == ["beat.encoder.onnx", "beat.decoder.onnx"]
    assert [load_model(file)[1]["role"] for file in files] == ["encoder", "decoder"]
    assert sorted(tmp_path.iterdir()) == sorted(files)


def test_several_sets(tmp_path):
    files = export_model(Kernels((SMALL, SMALL), Fraction(360)), tmp_path / "beat.onnx")
    assert [file.name for file in files] == [
        "beat.0.encoder.onnx",
        "beat.0.decoder.onnx",
        "beat.1.encoder.onnx",
        "beat.1.decoder.onnx",
    ]
    assert [load_model(file)[1]["set"] for file in files] == ["0", "0", "1", "1"]


def test_an_existing_file_stays(tmp_path):
    taken = tmp_path / "beat.decoder.onnx"
    taken.write_bytes(b"mine")
    with pytest.raises(SinkError, match=r"beat\.decoder\.onnx exists: --force replaces it"):
        export_model(ONE, tmp_path / "beat")
    assert taken.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [taken]
    export_model(ONE, tmp_path / "beat", force=True)
    assert load_model(taken)[1]["role"] == "decoder"


def test_nothing_is_left_of_a_failure(tmp_path):
    """The second set is too large: the first one is not written either."""
    large = KernelSet((Kernel((2**15 - 1, 1 - 2**15) * 65, 200),), 24, 0)
    with pytest.raises(ModelError, match="could reach"):
        export_model(
            Kernels((SMALL, large), Fraction(360)),
            tmp_path / "beat",
            sample_range=(-(2**31), 2**31 - 1),
        )
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_place_of_a_file(tmp_path):
    taken = tmp_path / "beat.decoder.onnx"
    taken.mkdir()
    with pytest.raises(SinkError, match=r"beat\.decoder\.onnx: is a folder"):
        export_model(ONE, tmp_path / "beat", force=True)
    assert list(tmp_path.iterdir()) == [taken]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(SinkError, match="No such file or directory"):
        export_model(ONE, tmp_path / "nowhere" / "beat.onnx")


def test_a_path_without_a_name(tmp_path):
    with pytest.raises(SinkError, match="names no file"):
        export_model(ONE, tmp_path / ".onnx")


def test_command(tmp_path):
    model = tmp_path / "beat.json"
    ONE.save(model)
    arguments = [str(model), "--to", "onnx", "-o", str(tmp_path / "beat.onnx")]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        str(tmp_path / "beat.encoder.onnx"),
        str(tmp_path / "beat.decoder.onnx"),
    ]
    result = CliRunner().invoke(
        command,
        [*arguments, "--force", "--json", "--sample-range", "0", "2047", "--precision", "float32"],
        catch_exceptions=False,
    )
    report = json.loads(result.output)
    assert report["format"] == "onnx"
    assert report["kernels"] == ONE.content_hash
    for entry in report["files"]:
        _, metadata = load_model(entry["path"])
        assert metadata["precision"] == "float32"
        assert metadata["sample_range"] == "[0, 2047]"


def test_command_without_a_model(tmp_path):
    with pytest.raises(SourceError, match=r"none\.json: No such file or directory"):
        CliRunner().invoke(
            command,
            [str(tmp_path / "none.json"), "-o", str(tmp_path / "m")],
            catch_exceptions=False,
        )
