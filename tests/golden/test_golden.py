"""Files that were written once decode for ever to the same, and are written the same today."""

from __future__ import annotations

import json

import pytest

from tests.golden import make, spec_decoder

MANIFEST = json.loads(make.MANIFEST.read_text(encoding="utf-8"))
HINT = "where the format was changed on purpose, run: python -m tests.golden.make"


@pytest.fixture(scope="module")
def written() -> dict[str, bytes]:
    return make.cases()


def test_every_file_is_in_the_manifest(written: dict[str, bytes]) -> None:
    assert {path.stem for path in make.FILES.glob("*.san")} == set(MANIFEST) == set(written), HINT


@pytest.mark.parametrize("name", MANIFEST)
def test_file_decodes_as_it_did(name: str) -> None:
    data = (make.FILES / f"{name}.san").read_bytes()
    assert make.summary(data) == MANIFEST[name], HINT
    for stream in MANIFEST[name]["streams"].values():
        assert stream["digest_ok"] is True


@pytest.mark.parametrize("name", MANIFEST)
def test_encoder_writes_the_same_bytes(name: str, written: dict[str, bytes]) -> None:
    assert written[name] == (make.FILES / f"{name}.san").read_bytes(), HINT


@pytest.mark.parametrize("name", MANIFEST)
def test_document_reads_the_file_alike(name: str) -> None:
    """The decoder written from the documents verifies the digests in END."""
    streams = spec_decoder.decode((make.FILES / f"{name}.san").read_bytes())
    assert all(stream.ended for stream in streams)
    told = [len(stream.samples) for stream in streams]
    assert told == [stream["samples"] for stream in MANIFEST[name]["streams"].values()]


def test_files_are_small() -> None:
    assert sum(path.stat().st_size for path in make.FILES.glob("*.san")) < 64_000
