"""Calls hooks with the arguments of their form, and applies their results (contract 4).

If a hook returns ``None``, its in-place changes apply.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tyk_cffi.envelope import Envelope
from tyk_cffi.errors import HookError
from tyk_cffi.handler import AUTH_FORM, REQUEST_FORM, RESPONSE_FORM, Handler
from tyk_cffi.loop import awaited
from tyk_cffi.metadata import Metadata
from tyk_cffi.proto.coprocess_response_object_pb2 import ResponseObject
from tyk_cffi.proto.coprocess_session_state_pb2 import SessionState
from tyk_cffi.request import Request
from tyk_cffi.session import Parsed, session_of
from tyk_cffi.spec import Spec
from tyk_cffi.view import unwrap


def invoke_request(handler: Handler, envelope: Envelope, request: Request, spec: Spec) -> None:
    """Run a hook of form ``(request, session, spec)``.

    Raises:
        HookError: it returned an invalid value.
    """
    session = session_of(envelope)
    result = handler.function(request, session, spec)
    if result is not None and result != (request, session):
        _apply_result(handler, envelope, request, result, "request, session")


def invoke_auth(handler: Handler, envelope: Envelope, request: Request, spec: Spec) -> None:
    """Run a hook of form ``(request, session, metadata, spec)``."""
    session, metadata = session_of(Parsed(envelope.parse())), Metadata(envelope)
    result = handler.function(request, session, metadata, spec)
    if result is not None and result != (request, session, metadata):
        _apply_result(handler, envelope, request, result, "request, session, metadata")


def invoke_response(
    handler: Handler, envelope: Envelope, request: Request, spec: Spec
) -> bytes | None:
    """Run a hook of form ``(request, response, session, metadata, spec)``.

    Returns:
        The body that replaces the response's; ``None`` if it is unchanged.
    """
    session, metadata = session_of(Parsed(envelope.parse())), Metadata(envelope)
    response = envelope.response()
    result = handler.function(request, response, session, metadata, spec)
    if result is not None and result is not response:
        result = awaited(result)
    if result is not None and result is not response:
        if not isinstance(result, ResponseObject):
            raise _wrong_result(handler, result, "response")
        response.take(result)
    return response.new_body()


INVOKE = {REQUEST_FORM: invoke_request, AUTH_FORM: invoke_auth, RESPONSE_FORM: invoke_response}


def _apply_result(
    handler: Handler, envelope: Envelope, request: Request, result: Any, expected: str
) -> None:
    """Apply a session and metadata that the hook created and returned."""
    if not isinstance(result, tuple):
        result = awaited(result)
        if result is None:
            return
    if not isinstance(result, tuple) or len(result) != expected.count(",") + 1:
        raise _wrong_result(handler, result, expected)
    returned, session, *metadata = result
    if not (returned is request or returned is None or _is_copy(returned, envelope)):
        raise _wrong_result(handler, result, expected)
    if session is not None:
        if not isinstance(session, SessionState):
            raise _wrong_result(handler, result, expected)
        own, given = envelope.parse().session, unwrap(session)
        if given is not own and given != own:
            own.CopyFrom(given)
    if metadata and not isinstance(metadata[0], Metadata | None):
        if not isinstance(metadata[0], Mapping):
            raise _wrong_result(handler, result, expected)
        envelope.parse().session.metadata.update(metadata[0])


def _is_copy(returned: Any, envelope: Envelope) -> bool:
    return isinstance(returned, Request) and returned.is_of(envelope)


def _wrong_result(handler: Handler, result: Any, expected: str) -> HookError:
    if isinstance(result, tuple):
        got = f"({', '.join(type(item).__name__ for item in result)})"
    else:
        got = type(result).__name__
    return HookError(
        f"{handler.where}: {handler.name} returned {got}; it must return {expected}, "
        f"or None to keep its in-place changes"
    )
