"""Runs a gateway in a temporary folder, as an operator would."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from support.processes import answers, free_port, wait_until
from tyk_cffi import bundle

ROOT = Path(__file__).resolve().parents[2]
# GATEWAY names another binary to test, one with the race detector for instance.
BINARY = ROOT / os.environ.get("GATEWAY", "bin/gateway")
# Whether it is the bundled gateway; others reload and fail in different ways.
IS_BUNDLED = BINARY.name.startswith("gateway")
# Whether it is Tyk with its stock driver. That supports bundles only, and its typed
# decorators fail when called, so it gets the plugins as bundles with @Hook.
IS_STOCK = os.environ.get("GATEWAY_DRIVER") == "stock"
SECRET = "a-secret-for-tests"


@contextmanager
def _hangups_taken() -> Iterator[None]:
    """Start children without ``nohup``, which the gateway respects, if the tests run under it."""
    before = signal.getsignal(signal.SIGHUP)
    if before == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    if before == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, before)


class Gateway:
    """One gateway process, its settings, definitions and plugins below ``folder``."""

    def __init__(self, folder: Path, upstream: str, binary: Path = BINARY) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = httpx.Client(base_url=self.url, timeout=30)
        # The interpreter of the tests runs the hooks by default.
        self.environment: dict[str, str] = {"TYK_CFFI_PYTHON": sys.executable}
        self.settings: dict[str, Any] = {
            "listen_address": "127.0.0.1",
            "listen_port": self.port,
            "secret": SECRET,
            "app_path": "apps",
            "middleware_path": "middleware",
            "storage": {"type": "embedded"},
            "log_level": "debug",
            "coprocess_options": {"enable_coprocess": True},
        }
        # Further settings for another gateway, as JSON: storage, template_path …
        self.settings.update(json.loads(os.environ.get("GATEWAY_SETTINGS", "{}")))
        self.stdin: int | None = None
        self.output: int | None = None  # instead of the log
        self._binary = binary
        self._upstream = upstream
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("apps", "middleware/python", "event_handlers"):
            (folder / name).mkdir(parents=True)

    def define(self, name: str, hooks: dict[str, Any] | None = None, **fields: Any) -> None:
        """Write an API definition; its listen path is ``/<name>/``."""
        definition: dict[str, Any] = {
            "name": name,
            "api_id": name,
            "org_id": "default",
            "active": True,
            "use_keyless": True,
            "proxy": {
                "listen_path": f"/{name}/",
                "target_url": self._upstream,
                "strip_listen_path": True,
            },
            "version_data": {
                "not_versioned": True,
                "versions": {"Default": {"name": "Default"}},
            },
            **fields,
        }
        if hooks is not None:
            definition["custom_middleware"] = {**hooks, "driver": "python"}
        (self.folder / "apps" / f"{name}.json").write_text(json.dumps(definition))

    def plugin(self, source: str, name: str = "plugin.py") -> None:
        """Write a module into ``middleware/python``."""
        file = self.folder / "middleware" / "python" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)

    def event_handler(self, source: str, name: str = "handlers.py") -> None:
        """Write a module into ``event_handlers``."""
        (self.folder / "event_handlers" / name).write_text(source)

    def start(self) -> Gateway:
        """Start and wait until it answers; raise ``RuntimeError`` with its log if it exits."""
        self.launch()
        wait_until(lambda: self._is_up() or self._ended(), "the gateway's start", 60)
        if self._ended():
            raise RuntimeError(f"the gateway ended: {self.log()}")
        if not IS_BUNDLED:  # Tyk listens before it has loaded its APIs
            self.wait_for_log("API reload complete", 60)
        return self

    def _make_bundles(self) -> None:
        """Build a bundle with the same code for each API with hooks in the directory."""
        served = self.folder / "served"
        served.mkdir(exist_ok=True)
        for file in (self.folder / "apps").glob("*.json"):
            definition = json.loads(file.read_text())
            if "custom_middleware" not in definition or "custom_middleware_bundle" in definition:
                continue
            source = self.folder / f"source-{definition['name']}"
            shutil.copytree(self.folder / "middleware" / "python", source, dirs_exist_ok=True)
            code = (source / "plugin.py").read_text()
            code = re.sub(r"^@(Pre|Post|PostKeyAuth|CustomKeyCheck)$", "@Hook", code, flags=re.M)
            (source / "middleware.py").write_text(code)
            manifest = {"custom_middleware": definition["custom_middleware"]}
            (source / "manifest.json").write_text(json.dumps(manifest))
            bundle.build(source / "manifest.json", served / f"{definition['name']}.zip")
            definition["custom_middleware_bundle"] = f"{definition['name']}.zip"
            file.write_text(json.dumps(definition))
        self.settings.setdefault("enable_bundle_downloader", True)
        self.settings.setdefault("bundle_base_url", served.as_uri())

    def launch(self) -> subprocess.Popen[bytes]:
        """Start without waiting."""
        if IS_STOCK:
            self._make_bundles()
        (self.folder / "tyk.conf").write_text(json.dumps(self.settings))
        with (self.folder / "gateway.log").open("ab") as log, _hangups_taken():
            self._process = subprocess.Popen(
                [str(self._binary), "--conf", "tyk.conf"],
                cwd=self.folder,
                env={**os.environ, **self.environment},
                stdin=self.stdin,
                stdout=self.output or log,
                stderr=self.output or log,
            )
        return self._process

    def stop(self) -> int:
        """Stop like Ctrl-C, and return the exit status."""
        self.http.close()
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(timeout=60)

    def reload(self) -> httpx.Response:
        """``GET /tyk/reload/group``; in Tyk, the call that waits for the reload."""
        path = "/tyk/reload/group" if IS_BUNDLED else "/tyk/reload/?block=true"
        return self.http.get(path, headers={"x-tyk-authorization": SECRET})

    def key(self, method: str, key: str, session: dict[str, Any] | None = None) -> httpx.Response:
        """Call the keys API."""
        headers = {"x-tyk-authorization": SECRET}
        return self.http.request(method, f"/tyk/keys/{key}", headers=headers, json=session)

    def log(self) -> str:
        """Return the gateway's log."""
        file = self.folder / "gateway.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def wait_for_log(self, text: str, seconds: float = 10) -> None:
        """Wait until the log contains ``text``."""
        wait_until(lambda: text in self.log(), f"{text!r} in the log", seconds)

    def _is_up(self) -> bool:
        if not answers(self.port):
            return False
        try:
            return self.http.get("/hello").status_code == 200
        except httpx.HTTPError:
            return False

    def _ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None
