"""Tables and texts of a report, as HTML."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from san_runtime.figures import PURPOSES, lead_prdn, number
from san_stream import metrics

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from san_runtime.coded import Coded
    from san_runtime.figures import Figure

ABOUT = {
    "lossless": "every sample exact",
    "bounded": "every sample within a given error",
    "quality": "kernels that both ends learn, and a coded rest",
    "spikes": "baseline and spikes of the trained kernels",
}


def tiles(original: NDArray[np.int32], coded: Coded) -> str:
    """The three figures that say most of one coding."""
    raw = len(original) * coded.info.raw_bits
    big = [
        (number(metrics.compression_ratio(raw, coded.all_bits), 1) + "×", "smaller than raw"),
        (number(metrics.bits_per_sample(coded.all_bits, original.size), 2), "bits per sample"),
    ]
    if coded.profile != "lossless":
        big.append((f"{number(lead_prdn(original, coded), 1)} %", "PRDN, mean of the leads"))
        big.append((number(coded.mean("phi_bits"), 2), "mean φ_bits"))
    else:
        equal = np.count_nonzero((original == coded.digital) & coded.valid) / original.size
        big.append((f"{100 * equal:.4g} %", "of the samples equal"))
        big.append((number(coded.mean("phi_bits"), 2), "mean φ_bits"))
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for value, name in big
    )
    about = escape(ABOUT.get(coded.profile, ""))
    return (
        f'<article class="card tile"><h3>{escape(coded.profile)}</h3><p>{about}</p>'
        f'<dl class="big">{items}</dl></article>'
    )


def figures_table(figures: Sequence[Figure], names: Sequence[str]) -> str:
    """The table of figures, one body a group."""
    head = "".join(f'<th scope="col" class="n">{escape(name)}</th>' for name in names)
    first = '<th scope="col">figure and its definition</th>'
    out = [f'<table class="figures"><thead><tr>{first}{head}</tr></thead>']
    group = None
    for row in figures:
        if row.group != group:
            if group is not None:
                out.append("</tbody>")
            group = row.group
            out.append(
                f'<tbody><tr class="group"><th scope="rowgroup" colspan="{len(names) + 1}">'
                f"{escape(group)}</th></tr>"
            )
        cells = "".join(f'<td class="n">{escape(value)}</td>' for value in row.values)
        out.append(
            f'<tr><th scope="row">{escape(row.name)}'
            f'<span class="definition">{escape(row.definition)}</span></th>{cells}</tr>'
        )
    out.append("</tbody></table>" if group is not None else "</table>")
    return "".join(out)


def windows_table(coded: Coded) -> str:
    """Every window's figures, folded away: what the chart shows, as numbers."""
    rows = []
    for window in coded.shown_windows:
        begin = float(window.first_sample / coded.info.rate)
        cells = [
            str(window.index),
            number(begin, 2),
            number(window.phi),
            number(window.phi_bits),
            number(window.loss),
            f"{window.bits:,}",
            str(sum(window.spikes)) if window.spikes else "–",
        ]
        rows.append("<tr>" + "".join(f'<td class="n">{escape(c)}</td>' for c in cells) + "</tr>")
    names = ["window", "from, s", "φ", "φ_bits", "L̃", "bits", "spikes"]
    head = "".join(f'<th scope="col" class="n">{escape(name)}</th>' for name in names)
    return (
        f"<details><summary>{escape(coded.profile)}: all {len(rows)} windows as numbers</summary>"
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div></details>"
    )


def bytes_section(original: NDArray[np.int32], codings: Sequence[Coded]) -> str:
    """Bars: sizes beside the raw one, and what each coding's bytes are spent on."""
    raw = len(original) * codings[0].info.raw_bits / 8
    sizes = [("raw ADC bits", raw)]
    sizes += [(coded.profile, coded.all_bits / 8) for coded in codings]
    largest = max(size for _, size in sizes)
    bars = "".join(
        f'<div class="bar"><span class="name">{escape(name)}</span><span class="track">'
        f'<span class="fill" style="width:{100 * size / largest:.3f}%"></span></span>'
        f'<span class="n">{size:,.0f} bytes</span></div>'
        for name, size in sizes
    )
    shares = "".join(_shares(coded) for coded in codings)
    return f'<div class="bars">{bars}</div>{shares}'


def _shares(coded: Coded) -> str:
    used = [(purpose, coded.bits[purpose]) for purpose in PURPOSES if coded.bits[purpose]]
    total = sum(bits for _, bits in used) or 1
    parts = "".join(
        f'<span class="p-{purpose}" style="flex-grow:{bits}"></span>' for purpose, bits in used
    )
    legend = "".join(
        f'<li><span class="swatch p-{purpose}"></span>{purpose} '
        f'<span class="n">{bits / 8:,.0f}</span> bytes, {100 * bits / total:.1f} %</li>'
        for purpose, bits in used
    )
    name = escape(coded.profile)
    return (
        f'<h3>{name}</h3><div class="share" role="img" aria-label="Shares of the bytes of '
        f'{name}; the list below has the numbers">{parts}</div><ul class="legend">{legend}</ul>'
    )


def definition_list(items: Iterable[tuple[str, str]]) -> str:
    """Names and values."""
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
        for name, value in items
    )
    return f'<table class="parameters"><tbody>{rows}</tbody></table>' if rows else ""


def paragraphs(texts: Iterable[str]) -> str:
    """Plain paragraphs."""
    return "".join(f"<p>{escape(text)}</p>" for text in texts)
