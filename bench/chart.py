"""Draws docs/bench.svg."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

COLOURS = {"ours": "#2f6f9f", "gRPC": "#c8743c", "in Go": "#8a8a8a"}


def draw(results: dict[str, Any], file: Path) -> None:
    """Draw what one hook costs, per peer and per Python, and what a gateway serves."""
    mpl.rcParams["svg.hashsalt"] = "bench"  # the same figures give the same file
    figure, (cost, versions, gateways) = plt.subplots(1, 3, figsize=(13, 4))
    rows = [r for r in results["micro"]["results"] if r["name"].startswith("one hook")]
    counts = sorted({r["goroutines"] for r in rows})
    for offset, (kind, colour) in zip((-0.27, 0, 0.27), COLOURS.items(), strict=True):
        values = [
            next(r["per_call_us"] for r in rows if kind in r["name"] and r["goroutines"] == n)
            for n in counts
        ]
        bars = cost.bar(
            [i + offset for i in range(len(counts))], values, 0.26, label=kind, color=colour
        )
        cost.bar_label(bars, fmt="%.3g", fontsize=8)
    cost.set_yscale("log")
    cost.set_xticks(range(len(counts)), [f"{n} goroutines" for n in counts])
    cost.set_title("one hook that adds a header: µs a call")
    cost.legend(fontsize=8, ncol=3, loc="upper center", bbox_to_anchor=(0.5, -0.08))

    names, values = [], []
    for venv, micro in results["pythons"].items():
        names.append(f"Python {venv[6:]}")
        values.append(next(r["per_call_us"] for r in micro["results"] if r["goroutines"] == 1))
    versions.bar_label(versions.bar(names, values, color=COLOURS["ours"]), fmt="%.2f", fontsize=8)
    versions.set_title("the same by Python version: µs a call")

    labels = [f"{r['gateway']}\n{r['api']}" for r in results["gateways"]]
    values = [r["requests_per_second"] for r in results["gateways"]]
    gateways.bar_label(gateways.bar(labels, values, color=COLOURS["ours"]), fmt="%.0f", fontsize=8)
    gateways.set_title("whole gateway: requests a second")
    figure.suptitle(
        f"{results['date']}, {results['machine']}, {results['micro']['python']}",
        fontsize=9,
    )
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
