"""Tables and figures of a ledger.

    python benchmarks/compression/report.py LEDGERS/ledger.jsonl --records report --out DIR

Writes DIR/report.md and the rate–distortion figures beside it.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from typing import Any

from datasets import expand
from ledger import latest, read
from measuring import OK
from plots import rate_distortion
from tables import TARGETS, comparison, lead_of, markdown, overview, rates, rates_at, speeds

Row = dict[str, Any]


def _lossless(rows: list[Row], block: str) -> str:
    found = rates(rows, "lossless", block)
    payload = rates(rows, "lossless", block, field="payload_bps")
    return comparison(f"Lossless, {block}", found, payload)


def _bounds(rows: list[Row], block: str, leads: int) -> str:
    bounds = sorted({row["parameter"] for row in rows if row["mode"] == "bound"})
    out = overview(
        f"Bounded error in ADC units, bits/sample, {block}",
        [f"±{bound:g}" for bound in bounds],
        lambda column: rates(rows, "bound", block, parameter=float(column[1:])),
        leads,
    )
    for bound in bounds:
        found = rates(rows, "bound", block, parameter=bound)
        payload = rates(rows, "bound", block, field="payload_bps", parameter=bound)
        out += comparison(f"±{bound:g}, {block}", found, payload)
    return out


def _qualities(rows: list[Row], block: str, leads: int) -> str:
    out = overview(
        f"Bits/sample at PRDN, {block}",
        [f"{target:g} %" for target in TARGETS],
        lambda column: rates_at(rows, block, float(column.split()[0])),
        leads,
    )
    for target in TARGETS:
        found = rates_at(rows, block, target)
        payload = rates_at(rows, block, target, field="payload_bps")
        out += comparison(f"PRDN {target:g} %, {block}", found, payload)
    return out


def _notes(rows: list[Row]) -> str:
    """Machines, versions, and whatever is no figure."""
    versions: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row["status"] == OK:
            versions[row["codec"]].add(row["version"])
    body = [[codec, "; ".join(sorted(found))] for codec, found in sorted(versions.items())]
    machines = sorted({row["machine"] for row in rows})
    out = "## Machines and versions\n\n" + "".join(f"- {name}\n" for name in machines)
    out += f"\n{markdown(['codec', 'version'], body)}\n"
    wrong: dict[tuple[str, str, str], int] = defaultdict(int)
    for row in rows:
        if row["status"] != OK:
            wrong[row["codec"], row["mode"], row["status"]] += 1
    if wrong:
        body = [[*what, str(count)] for what, count in sorted(wrong.items())]
        table = markdown(["codec", "mode", "what", "cells"], body)
        out += f"## What could not be measured, or was wrong\n\n{table}\n"
    return out


def main() -> None:
    """Write the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ledger", type=Path)
    parser.add_argument("--records", default="report", help="sets and records, by commas")
    parser.add_argument("--minutes", type=float, default=10.0, help="rows of so many")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    wanted = set(expand(options.records))
    rows = [
        row
        for row in latest(read(options.ledger)[0]).values()
        if row["record"] in wanted and row["minutes"] == options.minutes
    ]
    if not rows:
        raise SystemExit(f"{options.ledger} has no row of {options.records}")
    options.out.mkdir(parents=True, exist_ok=True)
    leads = len({lead_of(row) for row in rows})
    text = f"# Compression: {options.records}\n\n{len(wanted)} records, {leads} leads, "
    text += f"the first {options.minutes:g} minutes.\n\n"
    for block in dict.fromkeys(row["block"] for row in rows):
        text += f"## Block {block}\n\n{_lossless(rows, block)}"
        text += _bounds(rows, block, leads) + _qualities(rows, block, leads)
        for name in rate_distortion(rows, block, leads, options.out):
            if name.endswith("png"):
                text += f"![Bits a sample over PRDN, {block}]({name})\n\n"
    text += speeds(rows) + _notes(rows)
    (options.out / "report.md").write_text(text, encoding="utf-8")
    print(options.out / "report.md")


if __name__ == "__main__":
    main()
