"""Measures how long a gateway with many bundles takes to start, and to reload them all.

usage: python bench/bundles.py BINARY [COUNT]   (prints JSON)
"""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from tyk_cffi import bundle

CODE = """
import json, re, helper
from tyk.decorators import *

@Pre
def hook(request, session, spec):
    request.object.return_overrides.response_code = 200
    request.object.return_overrides.response_body = helper.VERSION
    return request, session
"""
SECRET = "bench"
CLIENTS = 8


def make(folder: Path, count: int, version: str) -> None:
    """Build all bundles, each with a sibling module that has its version."""
    for n in range(count):
        source = folder / f"source{n}"
        source.mkdir(exist_ok=True)
        (source / "middleware.py").write_text(CODE)
        (source / "helper.py").write_text(f"VERSION = {version!r}\n")
        manifest = {"custom_middleware": {"driver": "python", "pre": [{"name": "hook"}]}}
        (source / "manifest.json").write_text(json.dumps(manifest))
        bundle.build(source / "manifest.json", folder / "served" / f"b{n}.zip")


def settings(folder: Path, count: int) -> int:
    """Write tyk.conf and the definitions; returns the port."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
    conf = {
        "listen_address": "127.0.0.1",
        "listen_port": port,
        "secret": SECRET,
        "app_path": "apps",
        "middleware_path": "middleware",
        "log_level": "error",
        "enable_bundle_downloader": True,
        "bundle_base_url": (folder / "served").as_uri(),
        "coprocess_options": {"enable_coprocess": True},
    }
    (folder / "tyk.conf").write_text(json.dumps(conf))
    for n in range(count):
        definition = {
            "name": f"api{n}",
            "api_id": f"api{n}",
            "org_id": "default",
            "use_keyless": True,
            "proxy": {"listen_path": f"/api{n}/", "target_url": "http://127.0.0.1:9/"},
            "custom_middleware_bundle": f"b{n}.zip",
        }
        (folder / "apps" / f"api{n}.json").write_text(json.dumps(definition))
    return port


def ask(connection: http.client.HTTPConnection, path: str, **headers: str) -> tuple[int, str]:
    """One GET."""
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    return response.status, response.read().decode()


def first_answer(port: int) -> None:
    """Return when the first API answers."""
    while True:
        try:
            if ask(http.client.HTTPConnection("127.0.0.1", port), "/api0/") == (200, "one"):
                return
        except OSError:
            time.sleep(0.002)


def reload_under_load(port: int, folder: Path, count: int) -> tuple[float, int, int]:
    """Change all bundles and reload under load; return seconds, requests and failures."""
    stop = threading.Event()
    statuses: list[int] = []

    def hammer(n: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while not stop.is_set():
            n = (n + 1) % count
            statuses.append(ask(connection, f"/api{n}/")[0])

    clients = [threading.Thread(target=hammer, args=(n,)) for n in range(CLIENTS)]
    make(folder, count, "two")
    for client in clients:
        client.start()
    control = http.client.HTTPConnection("127.0.0.1", port)
    begin = time.perf_counter()
    status, answer = ask(control, "/tyk/reload/group", **{"x-tyk-authorization": SECRET})
    took = time.perf_counter() - begin
    stop.set()
    for client in clients:
        client.join()
    if status != 200 or any(ask(control, f"/api{n}/")[1] != "two" for n in range(count)):
        raise RuntimeError(f"the reload did not load all bundles: {answer}")
    return took, len(statuses), sum(s != 200 for s in statuses)


def measure(binary: Path, count: int) -> dict[str, Any]:
    """Start with cold and with warm bundles, then reload them all."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for sub in ("served", "apps", "middleware"):
            (folder / sub).mkdir()
        make(folder, count, "one")
        port = settings(folder, count)
        starts = []
        for last in (False, True):
            begin = time.perf_counter()
            process = subprocess.Popen([binary, "--conf", "tyk.conf"], cwd=folder)
            try:
                first_answer(port)
                starts.append(time.perf_counter() - begin)
                if last:
                    took, requests, failures = reload_under_load(port, folder, count)
            finally:
                process.send_signal(signal.SIGINT)
                process.wait()
    return {
        "bundles": count,
        "first_start_s": starts[0],
        "next_start_s": starts[1],
        "reload_s": took,
        "requests_meanwhile": requests,
        "failed": failures,
    }


if __name__ == "__main__":
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    print(json.dumps(measure(Path(sys.argv[1]).resolve(), count)))
