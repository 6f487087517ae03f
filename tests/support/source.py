"""A source for tests: a folder of plugin code and a dispatcher that loads it."""

from __future__ import annotations

import itertools
import json
import textwrap
from pathlib import Path
from typing import Any

from tyk_cffi.binding import Binding
from tyk_cffi.dispatcher import Dispatcher
from tyk_cffi.handler import HOOK_TYPES
from tyk_cffi.proto.coprocess_object_pb2 import Object

_HANDLES = itertools.count(1)


class Source:
    """Writes modules, loads them, binds hooks; ``dispatcher`` may be shared."""

    def __init__(self, path: Path, key: str = "key", dispatcher: Dispatcher | None = None) -> None:
        self.path = path
        self.key = key
        self.dispatcher = dispatcher or Dispatcher()
        path.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, text: str) -> None:
        """Write a file and remove the indentation of its text."""
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))

    def hook(self, body: str, decorator: str = "Hook", arguments: str = "") -> None:
        """Write one module with one hook named ``hook``."""
        arguments = arguments or "request, session, spec"
        lines = textwrap.indent(textwrap.dedent(body).strip() or "pass", "    ")
        self.write(
            "module.py",
            f"from tyk.decorators import *\n\n@{decorator}\ndef hook({arguments}):\n{lines}\n",
        )

    def load(self, keep: list[tuple[str, str]] | None = None, entry: str = "") -> dict[str, Any]:
        """Load or reload the source."""
        request = {
            "key": self.key,
            "path": str(self.path),
            "entry": entry,
            "keep": [{"type": HOOK_TYPES.index(kind), "name": name} for kind, name in keep or []],
        }
        return self.dispatcher.load(json.dumps(request).encode())

    def bind(self, name: str = "hook", kind: str = "Pre", **spec: str) -> Binding:
        """Bind a hook for API ``api``."""
        handle = next(_HANDLES)
        request = {
            "handle": handle,
            "source": self.key,
            "type": HOOK_TYPES.index(kind),
            "name": name,
            "spec": {"APIID": "api", "OrgID": "org", **spec},
        }
        self.dispatcher.bind(json.dumps(request).encode())
        return self.dispatcher.bindings[handle]

    def run(
        self, body: str, message: Object | None = None, kind: str = "Pre", **how: str
    ) -> Object:
        """Write, load and run one hook, and return the reply."""
        self.hook(body, **how)
        self.load()
        out, _ = self.bind(kind=kind).run((message or Object()).SerializeToString(), None, None)
        return Object.FromString(out)
