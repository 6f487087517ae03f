"""Routes calls to hooks, and events to handlers. Independent of the C interface."""

from __future__ import annotations

import json
import time
from contextvars import Context
from pathlib import Path
from typing import Any

from tyk_cffi import streams
from tyk_cffi.binding import Binding, missing, parse
from tyk_cffi.errors import LoadError, MessageError, UnknownError
from tyk_cffi.event import EventCall
from tyk_cffi.handler import HOOK_TYPES, Handler
from tyk_cffi.loader import EVENTS_KEY, Loader, LoadRequest
from tyk_cffi.running import Running, running


class Dispatcher:
    """The hook table: sources, and the handles that the host holds."""

    def __init__(self) -> None:
        self.loader = Loader(_CALLS)
        self.bindings: dict[int, Binding] = {}
        # The source of each API, since an event names only the API (contract 7).
        self._source_of_api: dict[str, str] = {}

    def load(self, data: bytes) -> dict[str, Any]:
        """Load or reload a source, and switch its handles to the new code.

        Raises:
            LoadError: the new code was refused; the old version stays in use.
        """
        raw = _json(data)
        keep = frozenset((HOOK_TYPES[hook["type"]], hook["name"]) for hook in raw["keep"])
        path = Path(raw["path"])
        if not path.is_absolute():
            raise LoadError(f"plugin folder {raw['path']!r}: not an absolute path")
        request = LoadRequest(raw["key"], path, raw["entry"] or None, keep)
        old = self.loader.version(request.key)
        context = Context()  # module code does not run for a hook
        try:
            changed = context.run(self.loader.load, request)
        finally:
            streams.finish(context)
        version = self.loader.sources[request.key].version
        if changed:
            for binding in list(self.bindings.values()):
                if binding.request.source == request.key:
                    binding.attach(version)
            if old is not None:
                self.loader.retire(old)
        hooks = [f"{kind} {name}" for kind, name in version.handlers if kind != "Event"]
        return {
            "changed": changed,
            "hooks": sorted(hooks),
            "events": sorted(name for kind, name in version.handlers if kind == "Event"),
            "warnings": version.warnings,
            "failures": version.failures,
        }

    def bind(self, data: bytes) -> dict[str, Any]:
        """Find a hook and bind it to the handle that the host chose.

        Raises:
            UnknownError: there is no such hook; the text has the nearest name.
        """
        raw = _json(data)
        handle = raw.pop("handle")
        if not isinstance(handle, int) or handle in self.bindings:
            raise MessageError(f"{handle!r} is no new handle")
        binding = Binding(parse(raw))
        source = binding.request.source
        version = self.loader.version(source)
        if not binding.attach(version):
            raise UnknownError(missing(binding, version))
        self.bindings[handle] = binding
        self._source_of_api[binding.request.spec.get("APIID", "")] = source
        return {"blocks": binding.is_async}

    def unbind(self, handle: int) -> None:
        """Remove a handle."""
        self.bindings.pop(handle, None)

    def dispatch_event(self, data: bytes) -> None:
        """Call an event handler.

        Raises:
            UnknownError: no source defines a handler of that name.
            BaseException: whatever the handler raises.
        """
        call = EventCall.from_json(data)
        handler = self._find_event_handler(call.handler, call.spec["APIID"])
        context = Context()
        try:
            context.run(_run_handler, handler, call)
        finally:
            streams.finish(context)

    def stats(self) -> dict[str, Any]:
        """Counters, for the host."""
        return {
            "handles": len(self.bindings),
            "sources": {
                key: {"path": str(source.request.path), "handlers": len(source.version.handlers)}
                for key, source in self.loader.sources.items()
            },
        }

    def stop(self, seconds: float) -> None:
        """Run the unload callbacks of plugin code, for at most ``seconds``."""
        self.loader.stop(time.monotonic() + seconds)

    def _find_event_handler(self, name: str, api: str) -> Handler:
        """Look in ``event_handlers/``, in the API's source, then in all others (contract 7)."""
        candidates = dict(self.loader.event_handlers(name))
        for key in (EVENTS_KEY, self._source_of_api.get(api)):
            if key in candidates:
                return candidates[key]
        if len(candidates) == 1:
            return next(iter(candidates.values()))
        if candidates:
            raise UnknownError(
                f"event handler {name!r} of API {api!r}: {len(candidates)} bundles define it, "
                f"and the API uses hooks of none of them"
            )
        raise UnknownError(f"nothing defines event handler {name!r} of API {api!r}")


def _run_handler(handler: Handler, call: EventCall) -> None:
    running.set(Running(call.spec["APIID"], call.handler))
    handler.function(call.event, call.spec)


# The functions that run calls: a version is in use while one is on a thread's stack.
_CALLS = frozenset[object]((Binding.run.__code__, Dispatcher.dispatch_event.__code__))


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError as error:
        raise MessageError(f"invalid JSON from the host: {error}") from error
