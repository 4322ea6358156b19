"""The report: what it holds is what was decoded, and nothing in it can reach out."""

from __future__ import annotations

import base64
import json
from html.parser import HTMLParser

import numpy as np
import pytest

from san_runtime.coded import Coded, Collector
from san_runtime.encoder import Encoder
from san_runtime.figures import Figure, figures, is_equal, lead_prdn
from san_runtime.files import make_decoder
from san_runtime.report import (
    MARK,
    MARK_WITHIN,
    Report,
    check_target,
    pack_samples,
    page_data,
    render,
    write,
)
from san_runtime.report_svg import nice_ticks
from san_stream import (
    Chunk,
    Event,
    Gap,
    Kernel,
    Kernels,
    KernelSet,
    Lead,
    Lossless,
    Quality,
    Spikes,
    StreamInfo,
)
from san_stream.errors import SinkError

HOSTILE = '</script><img src="http://x.invalid/" onerror=alert(1)>'
SAMPLES = 2600
VOID = {"meta", "br", "hr", "img", "input", "link", "line"}


class Page(HTMLParser):
    """Collects elements, attributes and texts; remembers tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def signal() -> np.ndarray:
    """Two leads of pulses on a slow wave, int32."""
    t = np.arange(SAMPLES)
    pulses = 400 * np.exp(-(((t % 290) - 100) ** 2) / 50)
    first = 1000 + 60 * np.sin(t / 200) + pulses
    return np.stack([first, 1500 - pulses / 2], axis=1).astype(np.int32)


def decode(profile, samples: np.ndarray, info: StreamInfo, valid=None) -> Coded:
    """Through an encoder and a decoder."""
    encoder, decoder, collector = Encoder(info, profile), make_decoder(), Collector()
    for message in [*encoder.push(Chunk(0, samples, valid)), *encoder.close()]:
        collector.take(decoder.push(message))
    collector.take(decoder.close())
    coded = collector.coded(decoder, delay=1.25)
    assert coded is not None
    return coded


@pytest.fixture(scope="module")
def report() -> Report:
    samples = signal()
    info = StreamInfo(
        360,
        (
            Lead(HOSTILE, "mV", 200.0, 1024, 11, 0, 2047),
            Lead("V5 & \"'", "mV", 100.0, 1000, 11, 0, 2047),
        ),
    )
    wave = np.exp(-((np.arange(60) - 30.0) ** 2) / 50)
    taps = np.round(600 * (wave - wave.mean())).astype(int)
    taps[0] -= taps.sum()
    kernels = Kernels((KernelSet((Kernel(tuple(taps.tolist()), 50),), 11, 12),), info.rate)
    profiles = (Lossless("fast"), Spikes(kernels), Quality(prdn=9))
    codings = tuple(decode(profile, samples, info) for profile in profiles)
    return Report(
        title="T <b>",
        subject="<i>subject</i>",
        original=samples,
        codings=codings,
        figures=tuple(figures(samples, codings)),
        facts=("<u>fact</u>",),
        events=(Event(100, "<N>"),),
        parameters=(("<p>", "&amp;"),),
        notice=("<notice>",),
    )


@pytest.fixture(scope="module")
def page(report: Report) -> Page:
    return Page(render(report))


def embedded(page: Page) -> dict:
    """The data of the page, as its script reads them."""
    text = next(text for text in page.texts["script"] if text.lstrip().startswith("{"))
    return json.loads(text)


def unpack(packed: dict) -> np.ndarray:
    kind = {"int16": "<i2", "int32": "<i4"}[packed["type"]]
    flat = np.frombuffer(base64.b64decode(packed["data"]), kind)
    return flat.reshape(-1, packed["length"]).T.astype(np.int32)


def test_the_page_holds_the_decoded_arrays_and_spikes(report, page):
    data = embedded(page)
    assert np.array_equal(unpack(data["original"]), report.original)
    for coding, coded in zip(data["codings"], report.codings, strict=True):
        assert coding["name"] == coded.profile
        assert np.array_equal(unpack(coding["digital"]), coded.digital)
        assert coding["missing"] == []
        assert [s[:3] for s in coding["spikes"]] == [
            [s.sample, s.lead, s.kernel] for s in coded.spikes
        ]
    assert len(data["codings"][1]["spikes"]) == len(report.codings[1].spikes) > 10


def test_alpha_is_the_similarity_in_physical_units(report):
    coded = report.codings[1]
    spike = coded.spikes[3]
    group, lead = coded.kernels[spike.lead], coded.info.leads[spike.lead]
    weights = np.array(group.kernels[0].taps) / 2.0**group.scale
    begin = spike.sample - group.kernels[0].centre
    physical = report.original[begin : begin + len(weights), spike.lead] / lead.gain
    shown = page_data(report)["codings"][1]["spikes"][3][3]
    # Quantised by 2^step: half a step is what it may differ by.
    step = 2.0 ** (group.step - group.scale) / lead.gain
    assert abs(shown - weights @ physical) <= 0.5001 * step


def test_every_figure_stands_with_its_definition(report, page):
    text = render(report)
    assert len({(f.group, f.name) for f in report.figures}) == len(report.figures)
    cells = {" ".join(t.split()) for t in page.texts["td"]}
    for figure in report.figures:
        assert figure.definition
        assert set(figure.values) <= cells
    for name in ("PRDN", "RMSE", "SNR", "largest error", "bits per sample", "CR to 11 bits"):
        assert name in text


def test_figures_are_those_of_independent_formulas(report):
    lossless, spikes, quality = report.codings
    table = {(f.group, f.name): f.values for f in report.figures}
    x = report.original[:, 1].astype(float)
    group = f"Distortion, {spikes.info.leads[1].name}"
    assert table[group, "PRDN, %"][0] == "0.00"
    assert table[group, "SNR, dB"][0] == "∞"
    for i, coded in ((1, spikes), (2, quality)):
        error = np.sqrt(((x - coded.digital[:, 1]) ** 2).sum())
        assert table[group, "PRDN, %"][i] == (
            f"{100 * error / np.sqrt(((x - x.mean()) ** 2).sum()):.2f}"
        )
        assert table[group, "PRD, %, less 1000"][i] == (
            f"{100 * error / np.sqrt(((x - 1000) ** 2).sum()):.2f}"
        )
        assert table[group, "RMSE, mV"][i] == f"{error / np.sqrt(len(x)) / 100:.4f}"
    for i, coded in enumerate((lossless, spikes, quality)):
        total = sum(
            int(table["Bytes", f"bytes, {purpose}"][i].replace(",", ""))
            for purpose in ("signal", "statistics", "container", "model", "events")
        )
        # Each is rounded to a whole byte by itself.
        assert abs(total - coded.all_bits / 8) <= 2
        assert sum(w.bits for w in coded.windows) == coded.all_bits
    assert is_equal(report.original, lossless)
    assert not is_equal(report.original, spikes)
    assert lead_prdn(report.original, lossless) == 0.0


def test_the_page_is_well_formed_and_accessible(page):
    assert page.wrong == []
    assert page.open == []
    assert page.all("html")[0]["lang"] == "en"
    assert page.texts["title"] == ["T <b>"]
    assert len(page.all("h1")) == 1
    assert len(page.all("h2")) >= 6
    for tag in ("svg", "canvas"):
        drawings = page.all(tag)
        assert drawings
        assert all(d.get("aria-label") and d.get("role") == "img" for d in drawings)
    identities = [a["id"] for _, a in page.elements if "id" in a]
    assert len(identities) == len(set(identities))
    assert all(a.get("aria-label") for a in page.all("input") if a.get("type") == "range")
    assert any("Not a medical device" in text for text in page.texts["p"])


def test_nothing_is_loaded_from_anywhere(report, page):
    for tag, attributes in page.elements:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base", "form"}
        assert not {"src", "srcset", "data", "background", "poster", "ping"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
        if "href" in attributes:
            assert tag == "a"
    text = render(report)
    for call in ("url(", "@import", "fetch(", "XMLHttpRequest", "WebSocket", "import(", "eval("):
        assert call not in text
    policy = [a for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy[0]["content"].startswith("default-src 'none';")


def test_hostile_names_stay_text(report, page):
    text = render(report)
    assert HOSTILE not in text
    assert "x.invalid" in text
    assert len(page.all("script")) == 2
    assert embedded(page)["leads"][0]["name"] == HOSTILE
    assert embedded(page)["events"] == [[100, "<N>"]]
    assert not page.all("img")
    for written in ("<b>T", "T <b>", "<i>subject", "<u>fact", "<notice>"):
        assert written not in text


def test_placeholders_in_texts_are_left_alone(report):
    other = Report("{{data}}", "{{nothing}}", report.original, report.codings, report.figures)
    text = render(other)
    assert "<h1>{{data}}</h1>" in text
    assert "{{nothing}}" in text


def test_missing_samples_become_stretches_and_wide_samples_int32():
    info = StreamInfo(100, (Lead("a", bits=24, minimum=-(2**23), maximum=2**23 - 1),))
    samples = np.arange(600, dtype=np.int32)[:, None] * 1000
    valid = np.ones(samples.shape, np.bool_)
    valid[[3, 4, 9, 599]] = False
    coded = decode(Lossless("fast"), samples, info, valid)
    report = Report("t", "s", samples, (coded,), tuple(figures(samples, [coded])))
    data = page_data(report)
    assert data["codings"][0]["missing"] == [[0, 3, 2], [0, 9, 1], [0, 599, 1]]
    assert data["original"]["type"] == "int32"
    assert np.array_equal(unpack(data["original"]), samples)
    assert not is_equal(samples, coded)
    assert Page(render(report)).wrong == []


def test_a_gap_is_a_stretch_without_values():
    info = StreamInfo(100, (Lead("a"), Lead("b")))
    samples = np.arange(800, dtype=np.int32).reshape(400, 2)
    encoder, decoder, collector = Encoder(info), make_decoder(), Collector()
    items = (Chunk(50, samples[:150]), Gap(200, 70), Chunk(270, samples[150:]))
    for message in [m for item in items for m in encoder.push(item)] + encoder.close():
        collector.take(decoder.push(message))
    coded = collector.coded(decoder)
    assert coded is not None
    assert coded.first_sample == 50
    assert len(coded.digital) == len(samples) + 70
    assert np.array_equal(coded.digital[coded.valid[:, 0]], samples)
    assert not coded.valid[150:220].any()
    report = Report("t", "s", coded.digital, (coded,), ())
    assert page_data(report)["codings"][0]["missing"] == [[0, 150, 70], [1, 150, 70]]
    assert Collector().coded(decoder) is None


@pytest.mark.parametrize("value", [2**15 - 1, -(2**15), 2**15, -(2**15) - 1, 2**31 - 1, -(2**31)])
def test_packed_samples_come_back(value):
    samples = np.array([[value, 0], [1, -1], [2, 7]], np.int32)
    packed = pack_samples(samples)
    assert packed["type"] == ("int16" if -(2**15) <= value < 2**15 else "int32")
    assert np.array_equal(unpack(packed), samples)


def test_report_replaces_reports_only(report, tmp_path):
    path = tmp_path / "r.html"
    check_target(path)
    assert list(tmp_path.iterdir()) == []
    write(report, path)
    assert MARK.encode() in path.read_bytes()[:MARK_WITHIN]
    assert path.stat().st_size < 1_500_000
    check_target(path)
    foreign = tmp_path / "f.html"
    foreign.write_text("<html>mine</html>")
    with pytest.raises(SinkError, match=r"f\.html.*no report.*--force"):
        check_target(foreign)
    check_target(foreign, force=True)
    assert foreign.read_text() == "<html>mine</html>"
    with pytest.raises(SinkError, match="is a folder"):
        check_target(tmp_path)
    with pytest.raises(SinkError, match="there is no folder"):
        check_target(tmp_path / "none" / "r.html")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f.html", "r.html"]


def test_a_report_that_fails_leaves_nothing(report, tmp_path):
    broken = Report("t", "s", report.original, report.codings, (Figure("g", "n", None, ("1",)),))
    with pytest.raises(AttributeError):
        write(broken, tmp_path / "r.html")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("low", "high", "most"), [(0, 60, 6), (-0.25, 0.25, 6), (0, 0.5, 5), (3, 3, 5), (-7e-4, 2, 3)]
)
def test_ticks_are_round_and_within(low, high, most):
    ticks = nice_ticks(low, high, most)
    assert 1 <= len(ticks) <= most + 1
    assert all(low - 1e-9 <= t <= high + 1e-9 for t in ticks)
    steps = np.diff(ticks)
    assert np.allclose(steps, steps[:1])
