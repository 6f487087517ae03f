"""Runs the host's calls: hooks, event handlers, loading and binding.

Independent of the transport that brings the calls. Nothing that plugin code raises gets out
of ``dispatch`` and ``control``, ``sys.exit()`` included: the gateway must not end.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from contextvars import Context
from pathlib import Path
from typing import Any

from tyk_cffi import streams, unload
from tyk_cffi.answer import OK, Answer, Limits, failure
from tyk_cffi.binding import Binding, missing, parse
from tyk_cffi.body import Lendable, lend
from tyk_cffi.errors import HookError, LoadError, MessageError, UnknownError
from tyk_cffi.event import EventCall
from tyk_cffi.handler import HOOK_TYPES, Handler
from tyk_cffi.loader import EVENTS_KEY, Loader, LoadRequest
from tyk_cffi.running import Running, running


class Dispatcher:
    """The hook table, sources and the handles that the host holds, and the calls to them.

    Args:
        limits: the host's limits.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._message_limit, self._body_limit = self._limits.reply_message, self._limits.reply_body
        self.loader = Loader(_CALLS)
        self.bindings: dict[int, Binding] = {}
        # The source of each API, since an event names only the API (contract 7).
        self._source_of_api: dict[str, str] = {}

    def dispatch(
        self,
        handle: int,
        message: bytes,
        body: Lendable | None = None,
        response_body: Lendable | None = None,
    ) -> Answer:
        """Run the hook of a handle.

        Args:
            handle: what ``bind`` was given.
            message: an encoded ``Object`` without spec and bodies.
            body: the request's body, ``None`` if there is none. It belongs to the transport
                and is used only until this returns.
            response_body: the response's body, under the same rules.
        """
        binding = self.bindings.get(handle)
        lent = lent_response = None
        try:
            if body is not None:
                lent = lend(body)
            if response_body is not None:
                lent_response = lend(response_body)
            if binding is None:
                raise UnknownError(f"there is no hook with handle {handle}")
            out, new_body = binding.run(message, lent, lent_response)
            if len(out) > self._message_limit or (
                new_body is not None and len(new_body) > self._body_limit
            ):
                raise self._too_large(binding.label, out, new_body)
            return OK, out, new_body
        except BaseException as error:
            what = binding.label if binding else "the call"
            return failure(error, what, self._limits.log_message)
        finally:  # the transport reuses the memory
            if lent is not None:
                lent.release()
            if lent_response is not None:
                lent_response.release()

    def control(self, name: str, request: bytes = b"") -> Answer:
        """Run ``load``, ``bind``, ``dispatch_event`` or ``stats``, whose result is JSON."""
        calls: dict[str, Callable[[], Any]] = {
            "load": lambda: self.load(request),
            "bind": lambda: self.bind(request),
            "dispatch_event": lambda: self.dispatch_event(request),
            "stats": self.stats,
        }
        try:
            message = json.dumps(calls[name]()).encode()
            if len(message) > self._message_limit:
                raise self._too_large("the call", message, None)
            return OK, message, None
        except BaseException as error:
            return self.failure(name, error)

    def failure(self, call: int | str, error: BaseException) -> Answer:
        """Return the answer to a call that failed in its transport.

        Args:
            call: the handle of a hook, or the name of a call of ``control``.
            error: what was raised.
        """
        if isinstance(call, str):
            what = _NAMES[call]
        else:
            binding = self.bindings.get(call)
            what = binding.label if binding else "the call"
        return failure(error, what, self._limits.log_message)

    def _too_large(self, what: str, message: bytes, body: bytes | None) -> HookError:
        return HookError(
            f"{what} failed: its reply is too large: {len(message)} bytes of message and "
            f"{len(body or b'')} of body; the gateway's limits are {self._message_limit} and "
            f"{self._body_limit}"
        )

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

    def shut_down(self, seconds: float) -> Answer:
        """Run the exit functions of plugins and packages, and flush output.

        The process ends within ``seconds``; a part of them is for the steps that follow.
        """
        try:
            end = time.monotonic() + 0.9 * seconds
            self.stop(end - time.monotonic())
            unload.finish(end)
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
            return OK, b"", None
        except BaseException as error:
            return self.failure("stop", error)

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


# The calls' names in error texts.
_NAMES = {
    "load": "loading",
    "bind": "binding",
    "dispatch_event": "the event handler",
    "stats": "counting",
    "stop": "stopping",
}

# The functions that run calls: a version is in use while one is on a thread's stack.
_CALLS = frozenset[object]((Binding.run.__code__, Dispatcher.dispatch_event.__code__))


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError as error:
        raise MessageError(f"invalid JSON from the host: {error}") from error
