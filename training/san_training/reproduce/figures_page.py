"""The paper's figures and tables as one self-contained page."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from san_training.activations import ACTIVATIONS, activate
from san_training.model import SAN1d, SAN2d, correlate
from san_training.physionet import FIRST_RECORDS
from san_training.reproduce.figures import kernels_of
from san_training.reproduce.figures_tables import labelled_table, table1_table
from san_training.reproduce.labelled import EXPERIMENTS, TOLERANCE
from san_training.reproduce.svg import TOP, Plot, image, picture, spark, wrap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from san_training.activations import Activation
    from san_training.reproduce.figures import Material

TEMPLATE: Final = Path(__file__).with_name("figures.html")
NAMES: Final[dict[Activation, str]] = {
    "identity": "Identity",
    "relu": "ReLU",
    "topk": "top-k absolutes",
    "extrema_pool": "Extrema-Pool indices",
    "extrema": "Extrema",
}
COLOURS: Final[dict[Activation, tuple[int, int, int]]] = {
    "identity": (90, 102, 115),
    "relu": (180, 83, 9),
    "topk": (15, 138, 108),
    "extrema_pool": (138, 43, 226),
    "extrema": (21, 101, 216),
}
"""As in the style of the page."""
RATIOS, LOSSES = (0.0, 2.6), (0.0, 1.1)
"""Ranges of CR⁻¹ and L̃ that are shown; a kernel of 250 taps adds 0.25."""
SHOWN_SIZE, SHOWN_SIDE = 12, 4
"""Density of the activation maps of figure 1."""


def render(material: Material) -> str:
    """The page as HTML text."""
    sections = [
        ("Fig. 1: activation maps", "".join(activation_maps(material))),
        ("Fig. 2: feed-forward pass", "".join(feed_forward(material))),
        ("Fig. 3: CR⁻¹ against L̃, with the best kernels", "".join(clusters(material))),
        ("Fig. 4: all databases together", "".join(aggregates(material))),
        ("Fig. 5: kernels", kernel_grid(material)),
        ("Table I", table1_table(material)),
        *(
            (f"Table {known.number}: {known.data}", labelled_table(material, table))
            for table, known in EXPERIMENTS.items()
        ),
    ]
    body = "".join(
        f'<section><h2>{title}</h2><div class="card">{content}</div></section>'
        if content
        else f"<section><h2>{title}</h2><p class='missing'>Not here.</p></section>"
        for title, content in sections
    )
    if material.missing:
        items = "".join(f"<li>{escape(why)}</li>" for why in material.missing.values())
        body += f"<section><h2>Not here</h2><ul class='missing'>{items}</ul></section>"
    keys = "".join(
        f'<span class="{name}"><i style="background:var(--{name})"></i>{NAMES[name]}</span>'
        for name in ACTIVATIONS
    )
    how = (
        "Models of Table I are picked by the test windows, as the paper’s program did."
        if material.pick == "test"
        else "Models are picked by the validation part; the test part is only reported."
    )
    template = TEMPLATE.read_text(encoding="utf-8")
    for name, text in (("how", how), ("keys", keys), ("body", body)):
        template = template.replace(f"{{{{{name}}}}}", text)
    return template


def activation_maps(material: Material) -> Iterator[str]:
    """Figure 1: what each activation keeps of a signal and of an image."""
    if "table2" in material.samples:
        part = material.samples["table2"].test
        signal = part.samples[int(np.flatnonzero(part.labels == 0)[0])]
        yield '<div class="grid5">'
        for name in ACTIVATIONS:
            kept = activate(name, torch.tensor(signal)[None], SHOWN_SIZE, SHOWN_SIZE - TOLERANCE)
            reach = float(np.abs(signal).max()) or 1.0
            plot = Plot((0, len(signal)), (-reach, reach), width=230, height=170)
            plot.axes(NAMES[name], "sample", "")
            plot.curve(range(len(signal)), signal.tolist(), "signal")
            plot.stems(kept[0].tolist(), name)
            yield plot.svg(f"{NAMES[name]} of a signal")
        yield "</div>"
    if "table3" in material.samples:
        digit = torch.tensor(material.samples["table3"].test.samples[0])
        yield '<div class="grid5">'
        for name in ACTIVATIONS:
            kept = activate(name, digit[None], SHOWN_SIDE, SHOWN_SIDE - TOLERANCE, dimensions=2)
            yield wrap(200, 200, picture(kept[0].numpy(), (10, 4, 180, 180)), NAMES[name])
        yield "</div>"


def feed_forward(material: Material) -> Iterator[str]:
    """Figure 2: x, and for each kernel w, s, α and its part of x̂; with trained kernels."""
    for table in ("table2", "table3"):
        outcome, samples = material.outcomes.get(table), material.samples.get(table)
        if outcome is None or samples is None:
            continue
        size = outcome.settings.sizes[-1]
        kernels = [torch.tensor(k) for k in kernels_of(outcome, "extrema", size)]
        if not kernels:
            continue
        x = torch.tensor(samples.test.samples[:1]).double()
        network = (SAN1d if table == "table2" else SAN2d)(kernels, border_tolerance=TOLERANCE)
        with torch.no_grad():
            out = network(x)
            columns: list[tuple[str, list[NDArray[np.float64]]]] = [
                ("x", [x[0].numpy()]),
                ("w", [k.numpy() for k in kernels]),
                ("s = w ⋆ x", list(out.similarities[0].numpy())),
                ("α = φ(s)", list(out.activations[0].numpy())),
                (
                    "w ⋆ α",
                    [correlate(out.activations[:, i], k)[0].numpy() for i, k in enumerate(kernels)],
                ),
                ("x̂ = Σ w ⋆ α", [out.signal[0].numpy()]),
            ]
        yield f"<h3>{EXPERIMENTS[table].data}, Extrema, m = {size}</h3>" + _flow(columns)


def _flow(columns: Sequence[tuple[str, list[NDArray[np.float64]]]]) -> str:
    wide, high, gap = 150, 90, 26
    rows = max(len(values) for _, values in columns)
    parts = []
    for i, (title, values) in enumerate(columns):
        left = i * (wide + gap)
        parts.append(f'<text class="title" x="{left}" y="14">{escape(title)}</text>')
        first = TOP + (rows - len(values)) * (high + 10) / 2
        for j, value in enumerate(values):
            top = first + j * (high + 10)
            place = (left + 4, top + 4, wide - 8, high - 8)
            parts.append(
                f'<rect class="frame" x="{left}" y="{top}" width="{wide}" height="{high}" rx="6"/>'
            )
            if value.ndim == 1:
                parts.append(f'<g class="extrema">{spark(value, place, "extrema")}</g>')
            else:
                side = high - 8
                parts.append(picture(value, (left + (wide - side) / 2, top + 4, side, side)))
        if i:
            middle = TOP + rows * (high + 10) / 2 - 1
            parts.append(f'<text class="axis middle" x="{left - gap / 2}" y="{middle}">→</text>')
    width = len(columns) * (wide + gap) - gap
    return wrap(width + 2, TOP + rows * (high + 10), "".join(parts), "feed-forward pass")


def clusters(material: Material) -> Iterator[str]:
    """Figure 3: for each database CR⁻¹ and L̃ of all sizes; the best kernels at the right."""
    yield '<div class="grid3">' if material.sweeps else ""
    which = "last" if material.pick == "test" else "best"
    for database in FIRST_RECORDS:
        if not any(name == database for name, _ in material.sweeps):
            continue
        plot = Plot(RATIOS, LOSSES, height=250, right=86)
        plot.axes(database, "CR⁻¹", "L̃")
        for i, name in enumerate(ACTIVATIONS):
            sweep = material.sweeps.get((database, name))
            if sweep is None:
                continue
            points = [
                (a, b)
                for a, b in zip(sweep[which]["ratio"], sweep[which]["loss"], strict=True)
                if a is not None and b is not None
            ]
            plot.dots([a for a, _ in points], [b for _, b in points], name, 1.5)
            top = TOP + i * 39
            plot.parts.append(
                f'<rect class="inset" x="262" y="{top}" width="74" height="36" rx="3"/>'
            )
            model = material.picked.get((database, name))
            if model is not None:
                plot.parts.append(spark(model.kernel, (266, top + 5, 66, 26), name))
        yield plot.svg(f"CR⁻¹ and L̃ of {database}")
    yield "</div>" if material.sweeps else ""


def aggregates(material: Material) -> Iterator[str]:
    """Figure 4: density of (CR⁻¹, L̃), and φ̄ by epoch and by kernel size, ± 1 deviation."""
    if not material.sweeps:
        return
    which = "last" if material.pick == "test" else "best"
    density = Plot(RATIOS, LOSSES, height=260)
    epochs = Plot((1, 30), (0, 2.6), height=260)
    sizes = Plot((1, 250), (0, 2.6), height=260)
    density.axes("density of all models", "CR⁻¹", "L̃")
    by_epoch = "φ̄ of validation, picked models"
    for name in ACTIVATIONS:
        sweeps = [sweep for (_, own), sweep in material.sweeps.items() if own == name]
        points = np.array(
            [
                pair
                for sweep in sweeps
                for pair in zip(sweep[which]["ratio"], sweep[which]["loss"], strict=True)
                if None not in pair
            ]
        ).reshape(-1, 2)
        if len(points):
            density.parts.append(_cloud(density, points, COLOURS[name]))
        histories = [m.phis for (_, own), m in material.picked.items() if own == name]
        if histories:
            epochs.x_range = (1, max(len(histories[0]), 2))
            _mean_band(epochs, range(1, len(histories[0]) + 1), histories, name)
        if sweeps:
            common = sorted(set.intersection(*(set(sweep["size"]) for sweep in sweeps)))
            rows = [dict(zip(s["size"], s[which]["phi"], strict=True)) for s in sweeps]
            common = [m for m in common if all(row[m] is not None for row in rows)]
            _mean_band(sizes, common, [[row[m] for m in common] for row in rows], name)
    epochs.axes(by_epoch, "epoch", "φ̄")
    sizes.axes("φ̄ of test by kernel size", "m", "φ̄")
    yield '<div class="grid3">'
    yield density.svg("density of CR⁻¹ and L̃")
    yield epochs.svg("φ̄ by epoch")
    yield sizes.svg("φ̄ by kernel size")
    yield "</div><p class='soft'>Bands are one standard deviation over the databases.</p>"


def _cloud(plot: Plot, points: NDArray[np.float64], colour: tuple[int, int, int]) -> str:
    """Gaussian kernel density (Scott's rule along each axis) as a transparent picture."""
    wide, high = 140, 100
    xs = np.linspace(*RATIOS, wide)
    ys = np.linspace(*LOSSES[::-1], high)
    # A width of 0 would be a line of no area: at least about one pixel.
    widths = np.maximum(points.std(axis=0) * len(points) ** (-1 / 6), (0.02, 0.012))
    across = np.exp(-0.5 * ((xs[:, None] - points[:, 0]) / widths[0]) ** 2)
    down = np.exp(-0.5 * ((ys[:, None] - points[:, 1]) / widths[1]) ** 2)
    density = down @ across.T
    pixels = np.empty((high, wide, 4), np.uint8)
    pixels[..., :3] = colour
    pixels[..., 3] = np.round(215 * np.sqrt(density / density.max()))
    left, top = plot.x(RATIOS[0]), plot.y(LOSSES[1])
    place = (left, top, plot.x(RATIOS[1]) - left, plot.y(LOSSES[0]) - top)
    return image(pixels, place, pixelated=False)


def _mean_band(plot: Plot, xs: Sequence[int], rows: Sequence[Sequence[float]], style: str) -> None:
    values = np.array(rows, float)
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    where = [float(x) for x in xs]
    plot.band(where, (mean - deviation).tolist(), (mean + deviation).tolist(), style)
    plot.curve(where, np.clip(mean, *plot.y_range).tolist(), style)


def kernel_grid(material: Material) -> str:
    """Figure 5: the picked kernel of each activation (row) and database (column)."""
    columns = [d for d in FIRST_RECORDS if any(name == d for name, _ in material.picked)]
    others = [table for table in EXPERIMENTS if table in material.outcomes]
    if not columns and not others:
        return ""
    wide, high, left = 92, 60, 132
    heads = [*columns, *(EXPERIMENTS[table].data for table in others)]
    parts = [
        f'<text class="axis middle" x="{left + (i + 0.5) * wide:.0f}" y="14">{head}</text>'
        for i, head in enumerate(heads)
    ]
    for row, name in enumerate(ACTIVATIONS):
        top = TOP + row * high
        parts.append(f'<text x="0" y="{top + high / 2:.0f}">{NAMES[name]}</text>')
        for i, database in enumerate(columns):
            x = left + i * wide
            model = material.picked.get((database, name))
            if model is not None:
                parts.append(spark(model.kernel, (x + 6, top + 6, wide - 12, high - 24), name))
                size = model.cell.kernel_size
                parts.append(_caption(x + wide / 2, top + high - 4, f"m = {size}"))
        for i, table in enumerate(others, len(columns)):
            x = left + i * wide
            size, kernels = _best_kernels(material, table, name)
            for j, kernel in enumerate(kernels):
                if kernel.ndim == 1:
                    place = (x + 6, top + 4 + j * 20, wide - 12.0, 16.0)
                    parts.append(spark(kernel, place, name))
                else:
                    parts.append(picture(kernel, (x + 8 + j * 42, top + 4, 36, 36)))
            if kernels:
                parts.append(_caption(x + wide / 2, top + high - 4, f"m = {size}"))
    width = left + len(heads) * wide
    return wrap(width, TOP + high * len(ACTIVATIONS), "".join(parts), "kernels")


def _caption(x: float, y: float, text: str) -> str:
    return f'<text class="tick middle" x="{x:.0f}" y="{y:.0f}">{text}</text>'


def _best_kernels(
    material: Material, table: str, name: Activation
) -> tuple[int, list[NDArray[np.float64]]]:
    """Kernels of the size with the lowest validation φ̄, of the first split and seed."""
    outcome = next(found for own, found in material.outcomes.items() if own == table)
    split = outcome.settings.splits[0]
    judged = [
        (line["validation"], key[3])
        for key, line in outcome.lines.items()
        if key[:3] == (split, 0, name) and "validation" in line
    ]
    if not judged:
        return 0, []
    size = min(judged)[1]
    return size, kernels_of(outcome, name, size)
