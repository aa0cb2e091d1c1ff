"""Draws the rows side by side from what `waits.py` wrote.

python benchmarks/picture.py .run/waits.json docs/images/waits.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

ROWS = {"poll": "SDK, a poll a run", "stream": "SDK, a stream a run", "watcher": "one watcher"}
PANELS = {
    "p99_ms": ("an end is noticed after, p99", "milliseconds"),
    "calls": ("calls and streams opened", "number"),
    "idle_cpu": ("CPU while nothing ends", "percent of a core"),
    "memory_kb": ("memory of a wait", "kilobytes"),
}
"""Title of each panel, and the unit of its axis."""
COLOURS = ("#8c8c8c", "#8c8c8c", "#6f2aef")


LEAST = 0.01
"""What stands for zero, which does not exist on a logarithmic axis; the label says so."""


def draw(rows: dict[str, dict[str, float]]) -> Figure:
    """A panel a figure, a point a row. The axes are logarithmic, where a bar's length would mean nothing."""
    figure = Figure(figsize=(10, 2.3), dpi=110, layout="constrained")
    for column, (key, (title, unit)) in enumerate(PANELS.items(), start=1):
        axes = figure.add_subplot(1, len(PANELS), column)
        values = [rows[name][key] + (rows[name]["streams"] if key == "calls" else 0) for name in ROWS]
        for name, value, colour in zip(ROWS.values(), values, COLOURS, strict=True):
            at = max(value, LEAST)
            axes.plot([at], [name], "o", markersize=9, color=colour)
            label = f"{value:,.{1 if value < 10 else 0}f}"
            axes.annotate(label, (at, name), (0, 8), textcoords="offset points", ha="center", fontsize=9)
        axes.set_title(title, fontsize=9)
        _scale(axes, values)
        axes.set_xlabel(f"{unit}, log scale", fontsize=8)
        axes.set_ylim(len(ROWS) - 0.6, -0.7)
        axes.grid(visible=True, color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0, labelsize=9, labelleft=column == 1)
        axes.tick_params(axis="x", labelsize=8)
    return figure


def _scale(axes: Axes, values: list[float]) -> None:
    """Whole decades with their names, and room for the labels."""
    axes.set_xscale("log")
    axes.set_xlim(max(min(values), LEAST) / 4, max(*values, LEAST) * 4)
    axes.xaxis.set_major_locator(LogLocator(base=10, numticks=5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def main() -> None:
    """Draw, if there is something to compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("picture", type=Path)
    given = parser.parse_args()
    rows = json.loads(given.results.read_text())["rows"]
    if missing := ROWS.keys() - rows.keys():
        raise SystemExit(f"No picture: {given.results} has no {' and no '.join(sorted(missing))}.")
    given.picture.parent.mkdir(parents=True, exist_ok=True)
    # The same figures make the same file.
    draw(rows).savefig(given.picture, metadata={"Software": None})


if __name__ == "__main__":
    main()
