"""Measure everything, print a table, write docs/bench.json and draw docs/bench.svg.

usage: python bench/run.py [--quick] [--stock FILE] [name=gateway-binary …]

Run from the root by ``make bench``, which has built what this starts. The
interpreters measured are .venv and every .venv-3.X that ``make test-pythons`` left.

A gateway named ``stock-v5.11.0``, for instance, is Tyk with its own driver. Its figures are
kept in docs/bench.json with version and date, until it is measured again. ``--stock`` adds
figures of single calls, of both drivers, measured side by side inside Tyk.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bundles import measure as measure_bundles
from chart import draw

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
STOCK = "stock-"  # how names of gateways with Tyk's own driver begin


def main() -> None:
    """Measure, print, write, draw."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="few short rounds, nothing written")
    parser.add_argument(
        "--stock", type=Path, help="JSON of both drivers in Tyk, as in docs/bench.json"
    )
    parser.add_argument("gateways", nargs="*", help="name=binary of other gateways")
    options = parser.parse_args()
    rounds = "3" if options.quick else "12"
    with redis() as store, peer() as grpc:
        addresses = ["-grpc", grpc, *(["-redis", store] if store else [])]
        micro = run("bench-micro", ".venv", "-rounds", rounds, *addresses)
    pythons = {
        venv: run("bench-micro", venv, "-rounds", rounds, "-only", "one hook, ours")
        for venv in sorted(p.name for p in ROOT.glob(".venv-3.*") if (p / "bin/python").exists())
    }
    gateways = ["ours=bin/gateway", *options.gateways]
    load = run("bench-load", ".venv", "-rounds", rounds, *gateways)
    os.environ["TYK_CFFI_PYTHON"] = str(ROOT / ".venv" / "bin" / "python")
    results = {
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "micro": micro,
        "pythons": pythons,
        "gateways": [row for row in load if not row["gateway"].startswith(STOCK)],
        "stock": stock(options.stock, [row for row in load if row["gateway"].startswith(STOCK)]),
        "bundles": measure_bundles(ROOT / "bin" / "gateway", 100),
    }
    table(results)
    if not options.quick:
        (DOCS / "bench.json").write_text(json.dumps(results, indent=1) + "\n")
        draw(results, DOCS / "bench.svg")


def stock(file: Path | None, gateways: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures of Tyk's own driver: those of bench.json, and the new ones."""
    known = json.loads((DOCS / "bench.json").read_text()).get("stock", {})
    if file:
        known |= json.loads(file.read_text())
    if gateways:
        known["gateways"] = {
            "tyk": gateways[0]["gateway"].removeprefix(STOCK),
            "date": datetime.date.today().isoformat(),
            "results": gateways,
        }
    return known


def run(program: str, venv: str, *arguments: str) -> Any:
    """Run one of the Go programs on an interpreter and return its JSON."""
    python = str(ROOT / venv / "bin" / "python")
    done = subprocess.run(
        [str(ROOT / "bin" / program), *arguments],
        cwd=ROOT / "bench" if program == "bench-micro" else ROOT,
        env={**os.environ, "TYK_CFFI_PYTHON": python},
        stdout=subprocess.PIPE,
        check=True,
    )
    results = json.loads(done.stdout)
    if "python" in results:  # without its path
        results["python"] = results["python"].partition(" (")[0]
    return results


@contextlib.contextmanager
def redis() -> Iterator[str | None]:
    """Run a Redis during the measurement; yields None without redis-server."""
    if shutil.which("redis-server") is None:
        print("get_data is not measured: redis-server is not on PATH", file=sys.stderr)
        yield None
        return
    port = free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        process(
            ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""], folder, port
        ),
    ):
        yield f"127.0.0.1:{port}"


@contextlib.contextmanager
def peer() -> Iterator[str]:
    """The gRPC server, in the benchmark's own environment."""
    port = free_port()
    command = [sys.executable, str(ROOT / "bench" / "peer" / "server.py"), str(port)]
    with process(command, str(ROOT), port, PYTHONPATH=str(ROOT)):
        yield f"127.0.0.1:{port}"


@contextlib.contextmanager
def process(command: list[str], folder: str, port: int, **environment: str) -> Iterator[None]:
    """Run a server until the block ends."""
    environment = {**os.environ, **environment}
    server = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, env=environment)
    try:
        for _ in range(200):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield
    finally:
        server.terminate()
        server.wait()


def free_port() -> int:
    """Return a free port on loopback."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def machine() -> str:
    """What this runs on."""
    go = subprocess.run(["go", "version"], capture_output=True, text=True).stdout.split()
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, {go[2]}"


def table(results: dict[str, Any]) -> None:
    """Print all results."""
    print(f"\n{results['date']}, {results['machine']}, {results['micro']['python']}\n")
    print(
        f"{'dispatch':<42}{'goroutines':>10}{'µs a call':>12}{'p50 µs':>12}{'p99 µs':>12}{'allocs':>8}"
    )
    rows = list(results["micro"]["results"])
    for venv, micro in results["pythons"].items():
        rows += [{**r, "name": f"{r['name']} {venv[6:]}"} for r in micro["results"]]
    for r in rows:
        print(
            f"{r['name']:<42}{r['goroutines']:>10}{r['per_call_us']:>12.2f}{r['p50_us']:>12.2f}"
            f"{r['p99_us']:>12.2f}{r['allocs_per_call']:>8.1f}"
        )
    for name, drivers in results["stock"].get("cases", {}).items():
        for driver in ("stock", "ours"):
            p50, p99 = (drivers[driver][key] for key in ("p50_us", "p99_us"))
            title = f"in Tyk {results['stock']['tyk']}, {driver}: {name}"
            print(f"{title:<64}{p50:>12.2f}{p99:>12.2f}")
    print(
        f"\n{'gateway':<20}{'api':<10}{'requests/s':>12}{'p50 µs':>10}{'p99 µs':>10}{'errors':>8}"
    )
    for r in [*results["gateways"], *results["stock"].get("gateways", {}).get("results", [])]:
        print(
            f"{r['gateway']:<20}{r['api']:<10}{r['requests_per_second']:>12.0f}"
            f"{r['p50_us']:>10.0f}{r['p99_us']:>10.0f}{r['errors']:>8}"
        )
    b = results["bundles"]
    print(
        f"\n{b['bundles']} bundles: start to the first answer {b['first_start_s']:.2f} s, "
        f"all changed and reloaded {b['reload_s']:.2f} s, "
        f"{b['failed']} of {b['requests_meanwhile']} requests failed meanwhile\n"
    )
    for text in ratios(results):
        print(text)


def ratios(results: dict[str, Any]) -> list[str]:
    """The figures that hold on any machine."""
    rows = {(r["name"], r["goroutines"]): r for r in results["micro"]["results"]}
    out = []
    for n in (1, 16, 256):
        ours, grpc = rows["one hook, ours", n], rows["one hook, gRPC", n]
        ratio = grpc["per_call_us"] / ours["per_call_us"]
        out.append(f"gRPC costs {ratio:.0f} times ours a call at {n} goroutines")
    fast = rows["fast hooks", 16]["per_call_us"]
    for (name, _), r in rows.items():
        if "while" in name:
            out.append(f"{name}: {fast / r['per_call_us']:.0%} of the throughput without")
    by = {(r["gateway"], r["api"]): r["requests_per_second"] for r in results["gateways"]}
    for gateway in dict.fromkeys(g for g, _ in by):
        ratio = by[gateway, "hooked"] / by[gateway, "plain"]
        out.append(f"gateway {gateway}: with a hook {ratio:.0%} of the requests without")
    return out


main()
