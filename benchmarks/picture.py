"""Draws the rows side by side from what `waits.py` wrote.

python benchmarks/picture.py .run/waits.json docs/images/waits.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from matplotlib.figure import Figure

ROWS = {"poll": "poll a run", "stream": "stream a run", "watcher": "watcher"}
PANELS = {
    "p99_ms": "noticed after, p99 ms",
    "calls": "calls and streams",
    "idle_cpu": "CPU while idle, %",
    "memory_kb": "memory a wait, kB",
}
COLOURS = ("#b8b8b8", "#8c8c8c", "#6f2aef")


def draw(rows: dict[str, dict[str, float]], path: Path) -> None:
    """A panel a figure, a bar a row; the axes are logarithmic."""
    figure = Figure(figsize=(9, 1.9), dpi=110, layout="constrained")
    for place, (key, title) in enumerate(PANELS.items(), start=1):
        axes = figure.add_subplot(1, len(PANELS), place)
        values = [rows[name][key] + (rows[name]["streams"] if key == "calls" else 0) for name in ROWS]
        bars = axes.barh(list(ROWS.values()), values, color=COLOURS, log=True)
        axes.bar_label(bars, labels=[f"{value:,.{1 if value < 10 else 0}f}" for value in values], padding=3, fontsize=9)
        axes.set_title(title, fontsize=9)
        axes.set_xlim(max(min(values), 0.01) / 3, max(values) * 12)
        axes.invert_yaxis()
        axes.xaxis.set_visible(False)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.tick_params(axis="y", length=0, labelsize=9, labelleft=place == 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The same figures make the same file.
    figure.savefig(path, metadata={"Software": None})


def main() -> None:
    """Draw, if there is something to compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("picture", type=Path)
    given = parser.parse_args()
    rows = json.loads(given.results.read_text())["rows"]
    if missing := ROWS.keys() - rows.keys():
        raise SystemExit(f"No picture: {given.results} has no {' and no '.join(sorted(missing))}.")
    draw(rows, given.picture)


if __name__ == "__main__":
    main()
