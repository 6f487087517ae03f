"""A source for tests: a folder of plugin code, and a dispatcher that loads and runs it."""

from __future__ import annotations

import itertools
import json
import textwrap
from pathlib import Path
from typing import Any

from support.transports import InMemory, Transport
from tyk_cffi.answer import OK, Answer
from tyk_cffi.binding import Binding
from tyk_cffi.body import Lendable
from tyk_cffi.dispatcher import Dispatcher
from tyk_cffi.errors import GatewayError, HookError, LoadError, MessageError, UnknownError
from tyk_cffi.handler import HOOK_TYPES
from tyk_cffi.proto.coprocess_object_pb2 import Object

_HANDLES = itertools.count(1)
_ERRORS: dict[str, type[GatewayError]] = {
    error.status: error for error in (HookError, UnknownError, MessageError, LoadError)
}


class Hook:
    """A hook that is bound to a handle."""

    def __init__(self, transport: Transport, handle: int) -> None:
        self.transport = transport
        self.handle = handle

    @property
    def binding(self) -> Binding:
        return self.transport.dispatcher.bindings[self.handle]

    def run(
        self, message: bytes, body: Lendable | None = None, response_body: Lendable | None = None
    ) -> tuple[bytes, bytes | None]:
        """Run the hook; return the encoded reply and the new body.

        Raises:
            GatewayError: the call failed; which error tells the status.
        """
        return _success(self.transport.dispatch(self.handle, message, body, response_body))


class Source:
    """Writes modules, loads them, binds hooks; ``transport`` may be shared."""

    def __init__(self, path: Path, key: str = "key", transport: Transport | None = None) -> None:
        self.path = path
        self.key = key
        self.transport: Transport = transport or InMemory()
        path.mkdir(parents=True, exist_ok=True)

    @property
    def dispatcher(self) -> Dispatcher:
        return self.transport.dispatcher

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
        result: dict[str, Any] = self._control("load", json.dumps(request).encode())
        return result

    def bind(self, name: str = "hook", kind: str = "Pre", **spec: str) -> Hook:
        """Bind a hook for API ``api``."""
        handle = next(_HANDLES)
        request = {
            "handle": handle,
            "source": self.key,
            "type": HOOK_TYPES.index(kind),
            "name": name,
            "spec": {"APIID": "api", "OrgID": "org", **spec},
        }
        self._control("bind", json.dumps(request).encode())
        return Hook(self.transport, handle)

    def dispatch_event(self, event: bytes) -> None:
        """Call an event handler."""
        self._control("dispatch_event", event)

    def run(
        self, body: str, message: Object | None = None, kind: str = "Pre", **how: str
    ) -> Object:
        """Write, load and run one hook, and return the reply."""
        self.hook(body, **how)
        self.load()
        out, _ = self.bind(kind=kind).run((message or Object()).SerializeToString())
        return Object.FromString(out)

    def _control(self, name: str, request: bytes) -> Any:
        return json.loads(_success(self.transport.control(name, request))[0])


def _success(answer: Answer) -> tuple[bytes, bytes | None]:
    status, message, body = answer
    if status != OK:
        raise _ERRORS[status](message.decode())
    return message, body
