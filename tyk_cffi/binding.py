"""Bindings: one hook of one API, looked up once and called many times."""

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
    """A request to bind a hook for an API.

    Attributes:
        source: key of the source that defines the hook.
        type: number of the hook type.
        name: the hook's name.
        spec: the hook's ``spec`` argument.
        raw_body_only: leave the text form of bodies empty.
    """

    source: str
    type: int
    name: str
    spec: dict[str, str]
    raw_body_only: bool = False


class Binding:
    """The hook behind a handle. ``attach`` switches it to the current version of its source."""

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
        self._spec = request.spec  # a plain dict: Spec copies one faster than its like
        self._api = self._spec.get("APIID", "")
        # Each call runs in a copy, so that it does not see the context variables that
        # another call has set (the decimal context is one).
        self._context = Context()
        self._context.run(running.set, Running(self._api, request.name))
        # The handler and how to call it: one attribute, as a reload may change both
        # while a call reads them.
        self._bound: tuple[Handler, Callable[..., bytes | None]] | None = None

    @property
    def label(self) -> str:
        """The hook's name in error texts."""
        return f"hook {self.name!r} ({self.kind}) of API {self._api!r}"

    @property
    def handler(self) -> Handler | None:
        """The function that calls run now; ``None`` before the first ``attach``."""
        return self._bound[0] if self._bound else None

    @property
    def is_async(self) -> bool:
        """Whether the hook runs on the event loop, so that its thread only waits."""
        return self._bound is not None and self._bound[0].is_async

    def attach(self, version: Version | None) -> bool:
        """Switch to the hook of ``version``; return False if it has none.

        In that case the handle keeps its old hook: either its API uses another one by
        now, or the API's change was refused and it must work as before.
        """
        handler = version.find(self.kind, self.name) if version else None
        if handler is not None:
            self._bound = handler, INVOKE[handler.form]
        return handler is not None

    def run(
        self, data: bytes, body: Lent | None, response_body: Lent | None
    ) -> tuple[bytes, bytes | None]:
        """Run the hook for one call.

        Args:
            data: an encoded ``Object`` without spec and bodies.
            body: the request body, owned by the host and valid until this returns;
                ``None`` if there is none.
            response_body: the response body, under the same rules.

        Returns:
            The encoded reply, and the new body of the request or, in a response hook,
            of the response; ``None`` if it is unchanged.

        Raises:
            BaseException: whatever the hook raises, and the runtime's own errors.
        """
        bound = self._bound
        if bound is None:
            raise UnknownError(f"{self.label} no longer exists")
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
            if unfinished:  # some call printed an incomplete line
                finish(context)


def missing(binding: Binding, version: Version | None) -> str:
    """Return the error text for a hook that was not found, with the nearest existing name."""
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
        UnknownError: the number is not a hook type.
    """
    request = BindRequest(**raw)
    if not 0 < request.type < len(HOOK_TYPES):
        raise UnknownError(f"{request.type} is not a hook type")
    return request
