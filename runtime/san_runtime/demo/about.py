"""What the demo's report says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from san_runtime.demo.record import TITLE
from san_runtime.figures import is_equal
from san_runtime.report import Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from san_runtime.coded import Coded
    from san_runtime.demo.record import DemoRecord
    from san_runtime.figures import Figure
    from san_stream.kernels import Kernels

NOTICE = (
    "This page contains information from the MIT-BIH Arrhythmia Database of PhysioNet "
    "(https://physionet.org/content/mitdb/1.0.0/), which is made available under the Open Data "
    "Commons Attribution License (ODC-By) v1.0 "
    "(https://opendatacommons.org/licenses/by/1-0/). It holds minute 10 of record 100, both "
    "leads, samples unchanged, and what was decoded of them; Moody and Mark 2001, Goldberger "
    "et al. 2000, see the references.",
)


def make_report(record: DemoRecord, codings: Sequence[Coded], rows: Sequence[Figure]) -> Report:
    """The report of one run."""
    info = record.info
    leads = " and ".join(lead.name for lead in info.leads)
    seconds = float(len(record.samples) / info.rate)
    facts = []
    for coded in codings:
        if coded.profile == "lossless" and is_equal(record.samples, coded):
            facts.append(f"lossless: all {coded.digital.size:,} samples equal the record's")
    if all(coded.digest_ok for coded in codings):
        facts.append("the decoded samples have the SHA-256 that the encoder sent")
    if len({sum(1 for s in c.spikes if s.lead == 0) for c in codings if c.spikes} | {0}) > 1:
        beats = len(record.beats)
        facts.append(f"{beats} heartbeats in the database's annotations")
    return Report(
        title="A minute of ECG through encoder, socket and decoder",
        subject=f"{TITLE}: leads {leads}, {seconds:g} s, {info.rate} Hz, "
        f"{info.leads[0].bits} bits, {len(record.samples):,} samples a lead",
        original=record.samples,
        codings=tuple(codings),
        figures=tuple(rows),
        facts=tuple(facts),
        events=record.beats,
        parameters=tuple(_parameters(record.kernels, codings)),
        notice=NOTICE,
    )


def _parameters(kernels: Kernels, codings: Sequence[Coded]) -> list[tuple[str, str]]:
    made = kernels.provenance
    rate = kernels.rate
    first, count = int(made["first_sample"]), int(made["samples"])
    minutes = [float(sample / rate / 60) for sample in (first, first + count)]
    sets = [
        f"{'+'.join(group.leads)}: {len(kernel.taps)} taps, med {kernel.med}"
        for group in kernels.sets
        for kernel in group.kernels
    ]
    windows = next((c.windows for c in codings if c.windows), ())
    return [
        ("trained on", f"record {made['records']}, minutes {minutes[0]:g} to {minutes[1]:g}"),
        ("not trained on", "the minute shown here"),
        ("kernels", "; ".join(sets)),
        ("training", f"Adam, {made['epochs']} epochs, {made['restarts']} starts from the data"),
        ("kernel size and epoch", "picked by mean φ of validation windows"),
        ("placed", f"as matched (tie {kernels.tie}), taps of {made['tap_bits']} bits that sum to 0"),
        ("model", f"SHA-256 {kernels.content_hash[:16]}…"),
        ("window", f"{windows[0].length:,} samples" if windows else "–"),
    ]
