"""Draws docs/bench.svg.

usage: python bench/chart.py    (draws the figures of docs/bench.json again)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

DOCS = Path(__file__).resolve().parents[1] / "docs"
OURS, STOCK, GRPC, GO = "#2f6f9f", "#b03a48", "#c8743c", "#8a8a8a"
PARALLEL = (1, 16, 256)


def draw(results: dict[str, Any], file: Path) -> None:
    """Draw what one hook costs, per driver and per Python, and what a gateway serves."""
    mpl.rcParams["svg.hashsalt"] = "bench"  # the same figures give the same file
    figure, axes = plt.subplots(2, 2, figsize=(12, 9.2), width_ratios=(5, 4))
    calls(results, axes[0][0])
    if "cases" in results.get("stock", {}):
        in_tyk(results["stock"], axes[0][1])
    else:
        axes[0][1].set_axis_off()
    versions(results, axes[1][0])
    gateways(results, axes[1][1])
    figure.suptitle(
        f"{results['date']}, {results['machine']}, {results['micro']['python']}", fontsize=9
    )
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})


def calls(results: dict[str, Any], axes: Axes) -> None:
    """What a call of one hook costs, compared with gRPC."""
    rows = results["micro"]["results"]
    drivers = [
        ("tyk-cffi", OURS, times(rows, "one hook, ours")),
        ("a Python gRPC server", GRPC, times(rows, "one hook, gRPC")),
        ("the hook in Go, for comparison", GO, times(rows, "one hook, in Go")),
    ]
    width = 0.84 / len(drivers)
    for i, (name, colour, values) in enumerate(drivers):
        places = [n + (i - (len(drivers) - 1) / 2) * width for n in range(len(PARALLEL))]
        bars = axes.bar(places, values, width, label=name, color=colour)
        axes.bar_label(bars, fmt="%.3g", fontsize=8)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_ylabel("µs per call, logarithmic")
    axes.set_xticks(
        range(len(PARALLEL)), ["one call at a time", "16 in parallel", "256 in parallel"]
    )
    axes.set_title("A hook that adds a header: time per call\n(less is better)", fontsize=10)
    axes.legend(fontsize=8, ncol=2, loc="upper center", bbox_to_anchor=(0.5, -0.08))


def in_tyk(stock: dict[str, Any], axes: Axes) -> None:
    """Both drivers in the same Tyk, measured side by side; medians, because it was busy."""
    cases = {
        "1_goroutine": "one call\nat a time",
        "16_goroutines": "16 in\nparallel",
        "body_1_mib": "1 MiB body,\nnot read",
    }
    for shift, driver, name, colour in (
        (-0.21, "ours", "tyk-cffi", OURS),
        (0.21, "stock", "Tyk's own driver", STOCK),
    ):
        values = [stock["cases"][case][driver]["p50_us"] for case in cases]
        places = [n + shift for n in range(len(cases))]
        bars = axes.bar(places, values, 0.42, label=name, color=colour)
        labels = [f"{v:,.0f}" if v >= 100 else f"{v:.3g}" for v in values]
        axes.bar_label(bars, labels, fontsize=8)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.set_xticks(range(len(cases)), cases.values(), fontsize=8)
    axes.set_ylabel("µs per call (median), logarithmic")
    axes.set_title(
        f"The same in Tyk {stock['tyk']}, {stock['date']}\nbusy machine, both alike (less is better)",
        fontsize=10,
    )
    axes.legend(fontsize=8, loc="upper left")


def times(rows: list[dict[str, Any]], name: str) -> list[float]:
    """Microseconds per call of that row, by number of calls in parallel."""
    found = {r["goroutines"]: r["per_call_us"] for r in rows if r["name"] == name}
    return [found[n] for n in PARALLEL]


def versions(results: dict[str, Any], axes: Axes) -> None:
    """The same by Python version."""
    values = [times(micro["results"], "one hook, ours")[0] for micro in results["pythons"].values()]
    names = [venv.removeprefix(".venv-") for venv in results["pythons"]]
    axes.bar_label(axes.bar(names, values, color=OURS), fmt="%.2f", fontsize=8)
    axes.set_ylabel("µs per call")
    axes.set_title("tyk-cffi by Python version,\none call at a time (less is better)", fontsize=10)


def gateways(results: dict[str, Any], axes: Axes) -> None:
    """What whole gateways serve."""
    names, values, colours = [], [], []
    stock = results.get("stock", {}).get("gateways", {})
    for row in [*results["gateways"], *stock.get("results", [])]:
        ours = row["gateway"] == "ours"
        gateway = "bundled gateway" if ours else row["gateway"].replace("stock-", "Tyk ")
        hook = "one hook" if row["api"] == "hooked" else "no hook"
        names.append(f"{gateway},\n{hook}")
        values.append(row["requests_per_second"])
        colours.append(STOCK if row["gateway"].startswith("stock-") else OURS)
    axes.bar_label(axes.bar(names, values, color=colours), fmt="{:,.0f}", fontsize=8)
    axes.tick_params(axis="x", labelsize=8)
    axes.set_ylabel("requests per second")
    axes.set_title("Whole gateway, 32 connections\n(more is better)", fontsize=10)


if __name__ == "__main__":
    draw(json.loads((DOCS / "bench.json").read_text()), DOCS / "bench.svg")
