"""Laws of the whole path: pieces, gaps and cores change no byte, and nothing is invented."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from san_runtime.compiled import compiled_core
from san_runtime.encoder import Encoder
from san_stream import Decoder, Kernel, Kernels, KernelSet, Lossless, Signal, Spikes, Window
from san_stream.coding.core import PLAIN
from san_stream.loss import loss_index, loss_value
from san_stream.profiles import Bounded, Profile, Quality, is_transformed
from san_stream.types import Chunk, Event, Gap, StreamInfo
from tests.golden import signals

LOW, HIGH = -(2**31), 2**31 - 1
PRIMES = (2, 3, 5, 7, 11, 13, 17, 29, 53, 97)


@dataclass(frozen=True)
class Case:
    """One stream: what it is, what it holds, and how it is encoded."""

    info: StreamInfo
    profile: Profile
    runs: tuple[Chunk | Gap, ...]
    events: tuple[Event, ...]
    options: dict[str, Any]

    @property
    def end(self) -> int:
        last = self.runs[-1]
        return last.first + last.count if isinstance(last, Gap) else last.first_sample + len(last)


@st.composite
def kernel_sets(draw: st.DrawFn) -> KernelSet:
    """Small random kernels: zero-sum ones, or any with a declared baseline."""
    scale = draw(st.integers(0, 8))
    baseline = draw(st.none() | st.integers(-50, 50))
    kernels = []
    for _ in range(draw(st.integers(1, 3))):
        taps = draw(st.lists(st.integers(-120, 120), min_size=1, max_size=12))
        if baseline is None:
            taps.append(-sum(taps))
        kernels.append(Kernel(tuple(taps), draw(st.integers(1, 20))))
    return KernelSet(tuple(kernels), scale, draw(st.integers(0, 2 * scale)), baseline)


@st.composite
def models(draw: st.DrawFn) -> Spikes:
    tie = draw(st.sampled_from(("adjoint", "convolution")))
    return Spikes(Kernels((draw(kernel_sets()),), 100, tie=tie))


@st.composite
def predicted(draw: st.DrawFn, profile: str) -> Lossless | Bounded:
    preset = draw(st.sampled_from(("tiny", "tiny", "fast", "fast", "lean", "max")))
    if profile == "lossless":
        return Lossless(preset)
    return Bounded(draw(st.integers(0, 2)), preset)


@st.composite
def transformed(draw: st.DrawFn) -> Quality | Bounded:
    if draw(st.booleans()):
        return Bounded(draw(st.sampled_from([3, 50, 2**24])))
    aim = draw(st.sampled_from(["step", "prdn", "bps"]))
    return Quality(**{aim: draw(st.sampled_from([0.5, 8, 30]))})


def shaped(rng: np.random.Generator, n: int, leads: int, low: int, high: int) -> NDArray[np.int32]:
    """Samples of several kinds: waves, plateaus, noise, the ends of the range."""
    columns = []
    for _ in range(leads):
        match rng.integers(5):
            case 0:
                x = rng.integers(low, high, n, endpoint=True)
            case 1:
                x = np.repeat(rng.choice([low, high, 0, 1, -1], n), rng.integers(1, 9))[:n]
            case 2:
                x = np.cumsum(rng.integers(-9, 10, n))
            case 3:
                x = np.full(n, rng.integers(low, high, endpoint=True))
            case _:
                x = (min(high, 2000) * np.sin(np.arange(n) / rng.integers(2, 20))).astype(np.int64)
        columns.append(np.clip(x, low, high))
    return np.stack(columns, axis=1).astype(np.int32).reshape(n, leads)


@st.composite
def cases(draw: st.DrawFn, profile: str, *, gaps: bool = True) -> Case:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    leads = draw(st.integers(1, 3))
    chosen: Profile
    if profile == "spikes":
        chosen = draw(models())
    else:
        chosen = draw(transformed() if profile == "transformed" else predicted(profile))
    low, high = (-3000, 3000) if profile == "spikes" else (LOW, HIGH)
    invalid = draw(st.none() | st.sampled_from([low, 0, LOW]))
    info = signals.stream_info(leads, minimum=low, maximum=high, invalid=invalid, bits=16)
    at = draw(st.sampled_from([0, 0, 1, 37, 2**20 + 5, 2**40]))
    runs: list[Chunk | Gap] = []
    for _ in range(draw(st.integers(1, 4)) if gaps else 1):
        if runs or (gaps and draw(st.booleans())):
            count = draw(st.sampled_from([1, 2, 15, 16, 64, 1000, 2**33]))
            runs.append(Gap(at, count, draw(st.sampled_from(["lost", "off"]))))
            at += count
        n = draw(st.integers(0, 150))
        valid = rng.random((n, leads)) < draw(st.sampled_from([1, 1, 0.9, 0.2, 0]))
        runs.append(Chunk(at, shaped(rng, n, leads, low, high), valid))
        at += n
    first = runs[0].first if isinstance(runs[0], Gap) else runs[0].first_sample
    places = draw(st.lists(st.integers(first, max(at - 1, first)), max_size=4))
    events = tuple(
        Event(p, "N", int(rng.integers(-1, leads)), text="é" * (i % 2))
        for i, p in enumerate(places)
    )
    block = draw(st.sampled_from([1, 7, 16, 33, 64]))
    heavy = is_transformed(chosen) or getattr(chosen, "preset", "tiny") != "tiny"  # large tables
    length = {"delay": draw(st.sampled_from([0.5, 1]))} if is_transformed(chosen) else {}
    options = {
        **(length or {"block": block}),
        "window": draw(st.sampled_from([16, 17, 50, 100])),
        "reset": draw(st.sampled_from([200, 400] if heavy else [1, block, 100, 400])),
        "pack": draw(st.none() | st.sampled_from([1, 100, 300])),
    }
    return Case(info, chosen, tuple(runs), events, options)


def any_case(**kwargs: bool) -> st.SearchStrategy[Case]:
    return st.one_of(
        cases(name, **kwargs) for name in ("lossless", "bounded", "spikes", "transformed")
    )


def whole(runs: tuple[Chunk | Gap, ...]) -> list[Chunk | Gap]:
    return list(runs)


def cut(draw: Callable[[], int]) -> Callable[[tuple[Chunk | Gap, ...]], list[Chunk | Gap]]:
    """The same runs in pieces whose sizes are drawn."""

    def pieces(runs: tuple[Chunk | Gap, ...]) -> list[Chunk | Gap]:
        out: list[Chunk | Gap] = []
        for item in runs:
            if isinstance(item, Gap):
                out.append(item)
                continue
            at = 0
            while True:
                end = min(at + draw(), len(item))
                valid = None if item.valid is None else item.valid[at:end]
                out.append(Chunk(item.first_sample + at, item.samples[at:end], valid))
                if end == len(item):
                    break
                at = end
        return out

    return pieces


def encode(
    case: Case,
    pieces: Callable[[tuple[Chunk | Gap, ...]], list[Chunk | Gap]] = whole,
    core: Any = None,
) -> tuple[bytes, list[Window]]:
    encoder = Encoder(case.info, case.profile, core=core, **case.options)
    messages = [m for item in (*case.events, *pieces(case.runs)) for m in encoder.push(item)]
    messages += encoder.close()
    return b"".join(messages), encoder.take_windows()


def decode(
    data: bytes, sizes: Callable[[], int] | None = None, core: Any = PLAIN
) -> tuple[list[Signal], Decoder]:
    decoder, got, at = Decoder(core), [], 0
    while at < len(data):
        size = sizes() if sizes else len(data)
        got += decoder.push(data[at : at + size])
        at += size
    return got + decoder.close(), decoder


def rows(got: list[Signal]) -> tuple[list[int], NDArray[np.int32], NDArray[np.bool_]]:
    where = [s.first_sample + i for s in got for i in range(len(s))]
    return where, np.concatenate([s.digital for s in got]), np.concatenate([s.valid for s in got])


def drawn_sizes(data: st.DataObject) -> Callable[[], int]:
    """Sizes 0, 1, primes and all, as drawn by a seed (fewer zeros than would never end)."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    choices = data.draw(st.sampled_from([(1,), (0, 1), (0, *PRIMES), PRIMES, (0, 1, 10**6)]))
    return lambda: int(rng.choice(choices))


@given(any_case(), st.data())
def test_pieces_change_no_byte(case: Case, data: st.DataObject) -> None:
    assert encode(case, cut(drawn_sizes(data))) == encode(case)


@given(any_case())
def test_both_cores_write_the_same_bytes(case: Case) -> None:
    assert encode(case, core=PLAIN) == encode(case, core=compiled_core())


@given(any_case(), st.data())
def test_decoder_gives_the_same_for_all_pieces(case: Case, data: st.DataObject) -> None:
    encoded, _ = encode(case)
    expected, _ = decode(encoded)
    got, decoder = decode(encoded, drawn_sizes(data), compiled_core())
    for a, b in zip(rows(got), rows(expected), strict=True):
        np.testing.assert_array_equal(a, b)
    for name in ("gaps", "events", "windows", "notices", "spikes"):
        told = [[x for s in group for x in getattr(s, name)] for group in (got, expected)]
        assert told[0] == told[1]
    assert decoder.streams[0].digest_ok is True


@given(any_case())
def test_decoder_tells_all_that_was_pushed(case: Case) -> None:
    encoded, windows = encode(case)
    got, decoder = decode(encoded)
    where, digital, valid = rows(got)
    chunks = [c for c in case.runs if isinstance(c, Chunk)]
    assert where == [c.first_sample + i for c in chunks for i in range(len(c))]
    pushed = np.concatenate([c.samples for c in chunks])
    known = np.concatenate(
        [np.ones(c.samples.shape, bool) if c.valid is None else c.valid for c in chunks]
    )
    np.testing.assert_array_equal(valid, known)
    if isinstance(case.profile, Lossless):
        fill = np.array([lead.invalid or 0 for lead in case.info.leads], np.int32)
        np.testing.assert_array_equal(digital, np.where(known, pushed, fill))
    if isinstance(case.profile, Bounded):
        apart = np.abs(pushed.astype(np.int64) - digital)[known]
        assert apart.max(initial=0) <= case.profile.max_error
    assert [gap for s in got for gap in s.gaps] == [g for g in case.runs if isinstance(g, Gap)]
    assert sorted(e for s in got for e in [(e.sample, e.lead) for e in s.events]) == sorted(
        (e.sample, e.lead) for e in case.events
    )
    assert [s.notices for s in got if s.notices] == []
    assert decoder.streams[0].digest_ok is True
    assert decoder.streams[0].position == case.end
    told = [w for s in got for w in s.windows]
    assert told == windows
    assert sum(w.bits for w in told) == 8 * len(encoded)
    assert sum(sum(w.valid) for w in told) == known.sum()
    assert sum(decoder.counters.bits.values()) == 8 * len(encoded)


def mean_line(block: NDArray[np.int64]) -> int:
    """Rounded mean, half up."""
    return (2 * int(block.sum()) + len(block)) // (2 * len(block))


@given(cases("spikes"))
def test_losses_are_those_of_what_is_decoded(case: Case) -> None:
    """L̃ from the original, the decoded samples, and a baseline worked out here from the text."""
    encoded, _ = encode(case)
    got, _ = decode(encoded)
    decoded = {s.first_sample + i: row for s in got for i, row in enumerate(s.digital.tolist())}
    assert isinstance(case.profile, Spikes)
    fixed = case.profile.kernels.sets[0].baseline
    length, window = case.options["block"], case.options["window"]
    errors: dict[tuple[int, int], list[int]] = {}
    for run in (c for c in case.runs if isinstance(c, Chunk)):
        assert run.valid is not None
        for lead, info in enumerate(case.info.leads):
            x, ok = run.samples[:, lead].astype(np.int64), run.valid[:, lead]
            base = baseline(x, ok, run.first_sample, length, info.baseline)
            for i in np.flatnonzero(ok):
                t = run.first_sample + int(i)
                b = base[int(i)] if fixed is None else fixed
                sums = errors.setdefault((t // window, lead), [0, 0])
                sums[0] += abs(int(x[i]) - decoded[t][lead])
                sums[1] += abs(int(x[i]) - b)
    for told in (w for s in got for w in s.windows if any(w.valid)):
        for lead, loss in enumerate(told.losses):
            sums = errors.get((told.index, lead))
            assert loss == (None if sums is None else loss_value(loss_index(*sums)))


def baseline(
    x: NDArray[np.int64], ok: NDArray[np.bool_], first: int, length: int, start: int
) -> list[int]:
    """b[t] of one run of one lead, as docs/format.md says it."""
    numbers = range(first // length, (first + len(x) - 1) // length + 1) if len(x) else range(0)
    place = (np.arange(len(x)) + first) // length
    means, last = [], start
    for number in numbers:
        used = x[(place == number) & ok]
        last = mean_line(used) if len(used) else last
        means.append(last)
    out = []
    for i in range(len(x)):
        k = int(place[i]) - numbers[0]
        before, this, after = means[max(k - 1, 0)], means[k], means[min(k + 1, len(means) - 1)]
        u = 2 * (first + i - int(place[i]) * length) + 1
        if u < length:
            out.append(before + ((this - before) * (u + length) + length) // (2 * length))
        else:
            out.append(this + ((after - this) * (u - length) + length) // (2 * length))
    return out


@given(cases("spikes", gaps=False), st.integers(1, 9))
def test_shift_by_whole_blocks(case: Case, blocks: int) -> None:
    """A later signal decodes to the same values at later positions."""
    (run,) = (c for c in case.runs if isinstance(c, Chunk))
    shift = blocks * case.options["block"]
    moved = Case(
        case.info,
        case.profile,
        (Chunk(run.first_sample + shift, run.samples, run.valid),),
        (),
        case.options,
    )
    here, there = (
        rows(decode(encode(c)[0])[0])
        for c in (Case(case.info, case.profile, (run,), (), case.options), moved)
    )
    assert [t + shift for t in here[0]] == there[0]
    np.testing.assert_array_equal(here[1], there[1])
    np.testing.assert_array_equal(here[2], there[2])


@given(cases("spikes", gaps=False), st.integers(-500, 500))
def test_an_offset_moves_no_spike_of_a_zero_sum_model(case: Case, offset: int) -> None:
    assert isinstance(case.profile, Spikes)
    if case.profile.kernels.sets[0].baseline is not None:
        return
    (run,) = (c for c in case.runs if isinstance(c, Chunk))
    low = run.samples.clip(-2000, 2000)
    wide = Case(
        signals.stream_info(low.shape[1], minimum=-3000, maximum=3000),
        case.profile,
        (),
        (),
        case.options,
    )
    spikes = []
    for x in (low, low + np.int32(offset)):
        encoded, _ = encode(Case(wide.info, wide.profile, (Chunk(0, x),), (), case.options))
        spikes.append([spike for s in decode(encoded)[0] for spike in s.spikes])
    assert spikes[0] == spikes[1]
