"""Rate–distortion figures of a ledger, PNG and SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from tables import is_own, rates_at

if TYPE_CHECKING:
    from pathlib import Path

DISTORTIONS: Final = np.geomspace(2, 50, 25)
SIZE: Final = (7.0, 4.5)
DOTS: Final = 150


def rate_distortion(rows: list[dict[str, Any]], block: str, leads: int, out: Path) -> list[str]:
    """Mean bits a sample over PRDN, of every codec with a quantiser step that has all leads.

    Args:
        rows: of the ledger. block: which. leads: how many there are in all.
        out: folder.

    Returns:
        The names of the files written.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FuncFormatter, LogLocator

    mpl.rcParams["svg.hashsalt"] = "san-stream"  # the same figure has the same bytes
    rows = [row for row in rows if row["mode"] == "quality"]
    curves: dict[str, list[tuple[float, float]]] = {}
    for distortion in DISTORTIONS:
        for codec, found in rates_at(rows, block, float(distortion)).items():
            if len(found) == leads:
                point = (float(distortion), float(np.mean(list(found.values()))))
                curves.setdefault(codec, []).append(point)
    if not curves:
        return []
    figure, axes = plt.subplots(figsize=SIZE, layout="constrained")
    for codec, points in sorted(curves.items(), key=lambda item: item[1][-1][1]):
        own = is_own(codec)
        axes.loglog(
            *zip(*points, strict=True),
            label=codec,
            linewidth=2.5 if own else 1.2,
            linestyle="-" if own else "--",
        )
    axes.set_xlabel("PRDN, %")
    axes.set_ylabel("bits a sample, whole file")
    axes.set_title(f"{leads} leads, block {block}")
    axes.set_xticks([2, 5, 9, 15, 30, 50], ["2", "5", "9", "15", "30", "50"])
    axes.minorticks_off()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    names = [f"rate_distortion_{block}.{kind}" for kind in ("png", "svg")]
    for name in names:
        settings: dict[str, Any] = {"metadata": {"Date": None}} if name.endswith("svg") else {}
        figure.savefig(out / name, dpi=DOTS, **settings)
    plt.close(figure)
    return names
