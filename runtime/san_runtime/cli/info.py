"""``san-stream info FILE``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from san_runtime.cli.console import clock, figure, progress, say, say_json, table
from san_runtime.cli.options import json_option

_PURPOSES = {
    "signal": "samples, spikes, baseline, validity",
    "statistics": "the windows' losses",
    "events": "annotations, frames included",
    "model": "kernels in HEADER messages",
    "header": "the rest of HEADER messages",
    "container": "frames, message prefixes, gaps, END",
    "unused": "damaged or of no use",
}


@click.command(name="info", short_help="Say what a file holds and where its bytes went.")
@click.argument("file")
@json_option
def command(file: str, as_json: bool) -> int:
    """Report streams, leads, profile, φ and the bytes of FILE by purpose."""
    from san_runtime.inspect_file import inspect

    path = Path(file)
    size = float(path.stat().st_size) if path.is_file() else None
    with progress(file, size) as update:
        found = inspect(file, progress=update)
    if as_json:
        say_json(found)
        return 0
    say(f"{file}: {found['bytes']:,} bytes, {found['messages']:,} messages")
    if found["damage"] is not None:
        say(f"damaged: {found['damage']}")
    for stream in found["streams"]:
        _print_stream(stream)
    _print_bytes(found)
    return 0


def _print_stream(stream: dict[str, Any]) -> None:
    profile = stream["profile"]
    say()
    name = f"stream {stream['stream']}"
    if stream["segment"]:
        name += f", segment {stream['segment']}"
    begin = f", from {stream['origin']}" if stream["origin"] else ""
    say(f"{name}: {clock(stream['seconds'])} at {stream['rate']:g} Hz{begin}")
    rows = [["lead", "unit", "gain", "baseline", "ADC bits", "valid samples", "lowest", "highest"]]
    rows.extend(
        [
            lead["name"],
            lead["unit"],
            f"{lead['gain']:g}",
            str(lead["baseline"]),
            str(lead["bits"]),
            f"{lead['valid_samples']:,}",
            "-" if lead["minimum"] is None else str(lead["minimum"]),
            "-" if lead["maximum"] is None else str(lead["maximum"]),
        ]
        for lead in stream["leads"]
    )
    for line in table(rows):
        say(f"  {line}")
    what = profile["name"]
    if "max_error" in profile:
        bounds = sorted(set(profile["max_error"]))
        what += f" within {' to '.join(map(str, bounds[:1] + bounds[1:][-1:]))} ADC units"
    if "preset" in profile:
        what += f", preset {profile['preset']}"
    if "aim" in profile:
        what += f", {profile['aim']} {profile[profile['aim']]:g}"
    if "kernels_hash" in profile:
        what += (
            f", kernels {profile['kernels_hash'][:16]} ({sum(profile['taps'])} taps), "
            f"{profile['spikes']:,} spikes, {figure(profile['spikes_per_second'], 2)} a second"
        )
    say(f"  profile {what}; block {stream['block']}, window {stream['window']} samples")
    say(
        f"  {stream['samples']:,} samples a lead, {stream['missing_samples']:,} missing in "
        f"{stream['gaps']} stretches, {stream['events']} events"
    )
    say(
        f"  {stream['windows']:,} windows ({stream['windows_without_signal']} without signal, "
        f"{stream['windows_lost']} lost); means over windows:"
    )
    say(f"    loss      {figure(stream['loss'], 4)}  Σ|x − x̂| / Σ|x − b|")
    if stream["phi"] is not None:
        say(f"    phi       {figure(stream['phi'], 4)}  the paper's count: taps and spikes")
    say(f"    phi_bits  {figure(stream['phi_bits'], 4)}  all bits over bits at ADC resolution")
    if not stream["ended"]:
        say("  no END: the stream was cut off, or is still being written")


def _print_bytes(found: dict[str, Any]) -> None:
    say()
    total = 8 * found["bytes"]
    rows = [["bytes by purpose", "bytes", "share", "bits per sample"]]
    per_sample = found["bits_per_sample"]
    for name, meaning in _PURPOSES.items():
        bits = found["bits"][name]
        if bits or name in {"signal", "container"}:
            share = bits / total if total else 0.0
            rows.append(
                [
                    f"{name} ({meaning})",
                    f"{bits / 8:,.3f}".rstrip("0").rstrip("."),
                    f"{100 * share:.1f} %",
                    "-" if per_sample is None else f"{share * per_sample:.4f}",
                ]
            )
    per = "-" if per_sample is None else f"{per_sample:.4f}"
    rows.append(["file", f"{found['bytes']:,}", "100.0 %", per])
    for line in table(rows):
        say(line)
    say(
        f"ratio {figure(found['compression_ratio'], 2)}: "
        "bits at ADC resolution over all bits of the file"
    )
