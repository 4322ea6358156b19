"""The same bytes everywhere: compiled and plain, in any chunks, in several threads.

Every shared recording under every profile and preset, from its start; the default run takes
one recording of each kind for a few seconds, the long one all of them.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from san_runtime import Encoder, compiled_core, open_source
from san_stream import Bounded, Decoder, Gap, Kernels, Lossless, Quality, Signal, Spikes
from san_stream.coding.core import PLAIN, Core
from san_stream.kernels import Kernel, KernelSet
from san_stream.profiles import Profile
from san_stream.types import Chunk, StreamInfo

SECONDS = float(os.environ.get("SAN_STREAM_SECONDS", "10"))
"""Of each recording."""
MOST_LEADS = 8
"""Plain Python takes a second for each second of a lead; 64 leads would take all day."""
PROFILES: dict[str, Profile] = {
    **{f"lossless {preset}": Lossless(preset) for preset in ("tiny", "fast", "lean", "max")},
    "bounded 1 fast": Bounded(1, "fast"),
    "bounded 2": Bounded(2),
    "bounded 10": Bounded(10),
    "quality 9": Quality(prdn=9),
    "quality 0.5": Quality(bps=0.5),
    "spikes": Lossless(),  # stands for kernels of the recording's rate
}
KINDS = ("mitdb/100", "drivedb", "mimicdb")
"""Where the default run looks: the first of each."""


def recordings(*, every: bool) -> list[str]:
    """Names of WFDB records below SAN_STREAM_DATA; one that skips where it is unset."""
    root = os.environ.get("SAN_STREAM_DATA")
    if not root:
        return ["none"]
    names = [
        str(path.relative_to(root).with_suffix("")) for path in sorted(Path(root).rglob("*.hea"))
    ]
    if every:
        return names
    return [name for kind in KINDS for name in names if name.startswith(kind)][: len(KINDS)]


def kernels(info: StreamInfo, unit: str) -> Kernels:
    """Two simple kernels without sum, 0.1 and 0.3 s long; amplitudes as fine as they may be."""
    group = []
    for seconds in (0.1, 0.3):
        m = min(max(round(seconds * info.rate), 3), 255)
        taps = np.rint(100 * np.cos(2 * np.pi * (np.arange(m) - m // 2) / m)).astype(int)
        taps[m // 2] -= taps.sum()
        group.append(Kernel(tuple(taps.tolist()), m))
    step = 16 if any(lead.bits > 24 for lead in info.leads) else 10
    return Kernels((KernelSet(tuple(group), 8, step),), info.rate, unit)


def streams(record: Path) -> list[tuple[StreamInfo, list[Chunk | Gap]]]:
    """The beginning of each stream of a recording: chunks and gaps."""
    with open_source(f"wfdb:{record}", duration=SECONDS) as source:
        items: dict[int, list[Chunk | Gap]] = {info.stream: [] for info in source.infos}
        for item in source:
            if isinstance(item, Chunk | Gap):
                items[item.stream].append(item)
        return [(info, items[info.stream]) for info in source.infos if items[info.stream]]


def narrow(info: StreamInfo, items: list[Chunk | Gap]) -> tuple[StreamInfo, list[np.ndarray | Gap]]:
    """The first leads of a stream, as arrays and gaps."""
    few = StreamInfo(info.rate, info.leads[:MOST_LEADS], info.origin, info.stream)
    rows = [
        np.ascontiguousarray(item.samples[:, :MOST_LEADS]) if isinstance(item, Chunk) else item
        for item in items
    ]
    return few, rows


def pushed(encoder: Encoder, items: list[np.ndarray | Gap], rng: np.random.Generator) -> bytes:
    """All messages when the samples come in random chunks."""
    out = []
    for item in items:
        if isinstance(item, Gap):
            out += encoder.push(item)
            continue
        at = 0
        while at < len(item):
            size = int(rng.choice([1, 7, 64, 500, 5000]))
            out += encoder.push(item[at : at + size])
            at += size
    return b"".join(out + encoder.close())


def whole(encoder: Encoder, items: list[np.ndarray | Gap]) -> bytes:
    """All messages when each item is pushed as it is."""
    out = [message for item in items for message in encoder.push(item)]
    return b"".join(out + encoder.close())


def decoded(data: bytes, core: Core, rng: np.random.Generator | None = None) -> list[Signal]:
    """Signals when the bytes come at once, or in random pieces."""
    decoder = Decoder(core=core)
    out: list[Signal] = []
    at = 0
    while at < len(data):
        size = len(data) if rng is None else int(rng.choice([1, 3, 40, 1000]))
        out += decoder.push(data[at : at + size])
        at += size
    out += decoder.close()
    assert all(stream.digest_ok for stream in decoder.streams.values())
    return out


def told(signals: list[Signal]) -> tuple[bytes, bytes, list[object]]:
    """All that signals say, whatever pieces they came in."""
    rows = b"".join(signal.digital.tobytes() for signal in signals)
    valid = b"".join(signal.valid.tobytes() for signal in signals)
    rest = [
        [item for signal in signals for item in getattr(signal, name)]
        for name in ("gaps", "windows", "spikes", "beats", "notices")
    ]
    return rows, valid, rest


def check(record: Path, name: str) -> None:
    """One recording under one profile, in every way."""
    rng = np.random.default_rng(len(name))
    for info, items in streams(record):
        few, rows = narrow(info, items)
        profile = PROFILES[name]
        if name == "spikes":
            units = {lead.unit for lead in few.leads}
            if len(units) > 1:
                continue
            profile = Spikes(kernels(few, units.pop()))
        compiled = compiled_core()
        with ThreadPoolExecutor(2) as pool:
            jobs = [pool.submit(whole, Encoder(few, profile), rows) for _ in range(2)]
            data, twin = (job.result() for job in jobs)
        assert twin == data, "two threads"
        assert pushed(Encoder(few, profile), rows, rng) == data, "chunks"
        assert whole(Encoder(few, profile, core=PLAIN), rows) == data, "plain Python"
        shown = told(decoded(data, compiled))
        assert told(decoded(data, PLAIN)) == shown, "plain Python decodes"
        assert told(decoded(data, compiled, rng)) == shown, "pieces"


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("record", recordings(every=False))
def test_a_few_recordings(
    record: str, name: str, data_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.real.test_everywhere.SECONDS", min(SECONDS, 4.0))
    monkeypatch.setattr("tests.real.test_everywhere.MOST_LEADS", 2)
    check(data_root / record, name)


@pytest.mark.long
@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("record", recordings(every=True))
def test_every_recording(record: str, name: str, data_root: Path) -> None:
    check(data_root / record, name)
