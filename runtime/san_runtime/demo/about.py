"""What the demo's report says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from san_runtime.demo.record import TITLE
from san_runtime.figures import is_equal
from san_runtime.report import Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from san_runtime.coded import Coded
    from san_runtime.demo.record import DemoRecord
    from san_runtime.figures import Figure
    from san_stream.kernels import Kernels

NEAR_SECONDS = 0.1
NOTICE = (
    "This page contains information from the MIT-BIH Arrhythmia Database of PhysioNet "
    "(https://physionet.org/content/mitdb/1.0.0/), which is made available under the Open Data "
    "Commons Attribution License (ODC-By) v1.0 "
    "(https://opendatacommons.org/licenses/by/1-0/). It holds minute 10 of record 100, both "
    "leads, samples unchanged, and what was decoded of them; Moody and Mark 2001, Goldberger "
    "et al. 2000, see the references."
)


def make_report(record: DemoRecord, codings: Sequence[Coded], rows: Sequence[Figure]) -> Report:
    """The report of one run."""
    info = record.info
    leads = " and ".join(lead.name for lead in info.leads)
    seconds = float(len(record.samples) / info.rate)
    facts = [
        f"lossless: all {coded.digital.size:,} samples equal the record's"
        for coded in codings
        if coded.profile == "lossless" and is_equal(record.samples, coded)
    ]
    if all(coded.digest_ok for coded in codings):
        facts.append("the decoded samples have the SHA-256 that the encoder sent")
    facts += [_beats_fact(record, coded) for coded in codings if coded.kernels]
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
        notice=(NOTICE,),
    )


def _beats_fact(record: DemoRecord, coded: Coded) -> str:
    """How the spikes of the first lead lie to the beats that cardiologists marked."""
    spikes = np.array([spike.sample for spike in coded.spikes if spike.lead == 0])
    near = NEAR_SECONDS * float(coded.info.rate)
    met = sum(int((np.abs(spikes - beat.sample) <= near).sum() == 1) for beat in record.beats)
    return (
        f"spikes: {len(spikes)} in {coded.info.leads[0].name}, one within {NEAR_SECONDS:g} s of "
        f"{met} of the {len(record.beats)} annotated heartbeats"
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
        ("placed", f"as matched (tie {kernels.tie}); taps of {made['tap_bits']} bits, sum 0"),
        ("model", f"SHA-256 {kernels.content_hash[:16]}…"),
        ("window", f"{windows[0].length:,} samples" if windows else "–"),
    ]
