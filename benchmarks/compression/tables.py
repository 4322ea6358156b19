"""What the report says of a ledger: means, ratios to the best peer, the worst lead."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import exp, isfinite, log, nan
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from measuring import OK
from rate_distortion import rate_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Row = dict[str, Any]
    Rates = dict[str, dict[str, float]]

TARGETS: Final = (2.0, 5.0, 9.0, 15.0, 30.0, 50.0)
OWN: Final = "san "
"""The project's own codecs are called so; all others are peers."""


def is_own(codec: str) -> bool:
    """Whether it is the project's."""
    return codec.startswith(OWN)


def lead_of(row: Row) -> str:
    """Record and lead in one word."""
    return f"{row['record']}:{row['lead']}"


@dataclass(frozen=True, slots=True)
class Line:
    """One codec in one column.

    Attributes:
        codec: its name. leads: how many have a figure.
        mean: bits a sample, over its leads.
        ratio: geometric mean over the leads of bits to the best peer's bits.
        each: the same to each lead's own best peer.
        worst, worst_lead: largest ratio to the best peer, and where.
    """

    codec: str
    leads: int
    mean: float
    ratio: float
    each: float
    worst: float
    worst_lead: str


def rates(
    rows: Iterable[Row], mode: str, block: str, *, field: str = "bps", parameter: float = 0.0
) -> Rates:
    """Bits a sample by codec and lead, of rows with this parameter."""
    out: Rates = defaultdict(dict)
    for row in rows:
        if (row["mode"], row["block"], row["status"]) != (mode, block, OK):
            continue
        if row["parameter"] == parameter:
            out[row["codec"]][lead_of(row)] = row[field]
    return out


def rates_at(rows: Iterable[Row], block: str, target: float, *, field: str = "bps") -> Rates:
    """Bits a sample by codec and lead at a PRDN; a lead that does not reach it is left out.

    Coders with a bound take part by the PRDN that they have at their bounds; a target
    coarser than all of these is left out too, since larger bounds would be cheaper.
    """
    points: dict[tuple[str, str], dict[str, list[tuple[float, float]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for row in rows:
        if row["mode"] != "lossless" and (row["block"], row["status"]) == (block, OK):
            swept = points[row["codec"], row["mode"]][lead_of(row)]
            swept.append((row["prdn"], row[field]))
    out: Rates = {}
    for (codec, mode), leads in points.items():
        out[codec] = {
            lead: rate_at(swept, target)
            for lead, swept in leads.items()
            if mode == "quality" or max(swept)[0] >= target
        }
        out[codec] = {lead: rate for lead, rate in out[codec].items() if isfinite(rate)}
    return out


def _geometric(ratios: list[float]) -> float:
    return exp(sum(map(log, ratios)) / len(ratios)) if ratios else nan


def best_peer(found: Rates) -> str | None:
    """The peer with the lowest mean, of those with most leads."""
    peers = {codec: leads for codec, leads in found.items() if leads and not is_own(codec)}
    if not peers:
        return None
    most = max(map(len, peers.values()))
    whole = [codec for codec, leads in peers.items() if len(leads) == most]
    return min(whole, key=lambda codec: float(np.mean(list(peers[codec].values()))))


def compare(found: Rates) -> list[Line]:
    """One line a codec, by rising mean; those with fewer leads behind those with all."""
    best = best_peer(found)
    peers = [leads for codec, leads in found.items() if not is_own(codec)]
    least = {
        lead: min(leads[lead] for leads in peers if lead in leads)
        for lead in {lead for leads in peers for lead in leads}
    }
    out = []
    for codec, leads in found.items():
        if not leads:
            continue
        base = {} if best is None else found[best]
        against = {lead: rate / base[lead] for lead, rate in leads.items() if lead in base}
        worst_lead = max(against, key=lambda lead: against[lead], default="")
        out.append(
            Line(
                codec,
                len(leads),
                float(np.mean(list(leads.values()))),
                _geometric(list(against.values())),
                _geometric([rate / least[lead] for lead, rate in leads.items() if lead in least]),
                against.get(worst_lead, nan),
                worst_lead,
            )
        )
    return sorted(out, key=lambda line: (-line.leads, line.mean))


def number(value: float, digits: int = 3) -> str:
    """A figure, or a dash where there is none."""
    return f"{value:.{digits}f}" if isfinite(value) else "–"


def markdown(head: list[str], lines: Iterable[list[str]]) -> str:
    """A table."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def comparison(title: str, found: Rates, payload: Rates) -> str:
    """A heading and its table; empty where nothing was measured."""
    lines = compare(found)
    if not lines:
        return ""
    best = best_peer(found)
    of_payload = {line.codec: line.mean for line in compare(payload)}
    body = [
        [
            f"**{line.codec}**" if is_own(line.codec) else line.codec,
            str(line.leads),
            number(line.mean, 4),
            number(of_payload.get(line.codec, nan), 4),
            number(line.ratio),
            number(line.each),
            f"{number(line.worst)} {line.worst_lead}",
        ]
        for line in lines
    ]
    head = ["codec", "leads", "bits/sample, file", "payload", "ratio", "to each best", "worst lead"]
    return f"### {title}\n\nBest peer: {best or 'none'}.\n\n{markdown(head, body)}\n"


def overview(
    title: str, columns: list[str], found: Callable[[str], Rates], leads_of_all: int
) -> str:
    """Mean bits a sample of every codec, one column a setting; only over all leads."""
    cells: dict[str, list[str]] = defaultdict(lambda: ["–"] * len(columns))
    order: dict[str, float] = {}
    for i, column in enumerate(columns):
        for line in compare(found(column)):
            if line.leads == leads_of_all:
                cells[line.codec][i] = number(line.mean)
                order.setdefault(line.codec, line.mean)
    if not cells:
        return ""
    body = [[codec, *cells[codec]] for codec in sorted(cells, key=lambda codec: order[codec])]
    return f"### {title}\n\n{markdown(['codec', *columns], body)}\n"


def speeds(rows: Iterable[Row]) -> str:
    """Median speed and delay of every codec, by mode and block."""
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row["status"] == OK:
            groups[row["codec"], row["mode"], row["block"]].append(row)
    body = []
    for (codec, mode, block), of_codec in sorted(groups.items()):
        figures = [
            float(np.median([row["samples"] / 1e6 / row[field] for row in of_codec]))
            for field in ("encode_seconds", "decode_seconds")
        ]
        delay = float(np.median([row["delay_seconds"] for row in of_codec]))
        body.append(
            [codec, mode, block, *(number(figure, 2) for figure in figures), number(delay, 1)]
        )
    head = ["codec", "mode", "block", "encode, Msamples/s", "decode, Msamples/s", "delay, s"]
    return f"## Speed\n\nMedians, one thread.\n\n{markdown(head, body)}\n"
