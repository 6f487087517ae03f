"""One hook of one API: found once, called many times."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass
from typing import Any

from tyk_cffi.body import Lent
from tyk_cffi.ended import ENDED
from tyk_cffi.envelope import Envelope
from tyk_cffi.errors import UnknownError
from tyk_cffi.handler import HOOK_TYPES, Handler
from tyk_cffi.invoke import INVOKE
from tyk_cffi.request import Request
from tyk_cffi.running import Running, running
from tyk_cffi.spec import Spec
from tyk_cffi.streams import finish, unfinished
from tyk_cffi.version import Version


@dataclass(frozen=True)
class BindRequest:
    """Which hook, for which API.

    Attributes:
        source: key of the source that has it.
        type: number of the hook type.
        name: the hook's name.
        spec: what the hook gets as ``spec``.
        raw_body_only: leave the text form of bodies empty.
    """

    source: str
    type: int
    name: str
    spec: dict[str, str]
    raw_body_only: bool = False


class Binding:
    """A handle's hook. ``attach`` points it to the current version of its source."""

    __slots__ = (
        "_api",
        "_bound",
        "_context",
        "_raw_only",
        "_spec",
        "kind",
        "name",
        "request",
    )

    def __init__(self, request: BindRequest) -> None:
        self.request = request
        self.kind = HOOK_TYPES[request.type]
        self.name = request.name
        self._raw_only = request.raw_body_only
        self._spec = Spec(request.spec)
        self._api = self._spec["APIID"]
        # Each call runs in a copy of it, so that what one leaves in context variables
        # (the decimal context is one) is not seen by the next.
        self._context = Context()
        self._context.run(running.set, Running(self._api, request.name))
        # The handler and how to call it: one attribute, as a reload may change both
        # while a call reads them.
        self._bound: tuple[Handler, Callable[..., bytes | None]] | None = None

    @property
    def label(self) -> str:
        """How errors name this hook."""
        return f"hook {self.name!r} ({self.kind}) of API {self._api!r}"

    @property
    def handler(self) -> Handler | None:
        """The function that calls run now; ``None`` before the first ``attach``."""
        return self._bound[0] if self._bound else None

    @property
    def is_async(self) -> bool:
        """Whether the hook waits on the event loop, not in the interpreter."""
        return self._bound is not None and self._bound[0].is_async

    def attach(self, version: Version | None) -> bool:
        """Take the hook from ``version``; False when it has none.

        A handle whose hook is gone goes on with the one that it had: its API was
        told to use another, or could not be changed and serves as before.
        """
        handler = version.find(self.kind, self.name) if version else None
        if handler is not None:
            self._bound = handler, INVOKE[handler.form]
        return handler is not None

    def run(
        self, data: bytes, body: Lent | None, response_body: Lent | None
    ) -> tuple[bytes, bytes | None]:
        """Run the hook on one call.

        Args:
            data: an encoded ``Object`` without spec and bodies.
            body: the request's body; lent until this returns, ``None`` for none.
            response_body: the response's body, likewise.

        Returns:
            The encoded reply, and the body that replaces the request's or, in a
            response hook, the response's; ``None`` to keep it.

        Raises:
            BaseException: whatever the hook raised, and the runtime's own errors.
        """
        bound = self._bound
        if bound is None:
            raise UnknownError(f"{self.label} is no longer there")
        handler, invoke = bound
        envelope = Envelope(data, body, response_body, self._raw_only)
        context = self._context.copy()
        try:
            new_response_body = context.run(
                invoke, handler, envelope, Request(envelope), Spec(self._spec)
            )
            new_body = envelope.new_body() if envelope.has_views else None
            return envelope.reply(), new_response_body if self.kind == "Response" else new_body
        finally:
            # Most calls have no views, and then this is all of envelope.end().
            envelope.message = ENDED
            if envelope.has_views:
                envelope.end()
            if unfinished:  # somebody printed without a line end
                finish(context)


def missing(binding: Binding, version: Version | None) -> str:
    """Say that a hook is not there, with the nearest name that is."""
    text = f"there is no {binding.label}"
    if version is None:
        return f"{text}: its source {binding.request.source} is not loaded"
    kinds = {binding.kind, "Hook"}
    names = sorted({name for kind, name in version.handlers if kind in kinds})
    other = sorted({kind for kind, name in version.handlers if name == binding.name})
    if other:
        text += f"; {binding.name!r} is an @{', @'.join(other)}"
    elif near := difflib.get_close_matches(binding.name, names, n=1, cutoff=0.0):
        text += f"; the nearest name is {near[0]!r}"
    else:
        text += f"; {version.path} defines none of that type"
    if version.failures:
        text += f" (these modules did not load: {', '.join(sorted(version.failures))})"
    return text


def parse(raw: Any) -> BindRequest:
    """Read the host's JSON.

    Raises:
        UnknownError: the number is no hook type.
    """
    request = BindRequest(**raw)
    if not 0 < request.type < len(HOOK_TYPES):
        raise UnknownError(f"{request.type} is no hook type")
    return request
