"""Types for annotations in plugin code: ``from tyk.types import Request, Session, Spec``.

``Request``, ``Response``, ``Session``, ``Metadata`` and ``Spec`` are the arguments of hooks
(sections 3 and 4 of docs/contract.md); ``Event`` and ``Spec`` are those of event handlers
(section 7). ``HookFunction`` and ``EventFunction`` are the types of the functions.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

from tyk_cffi.event import Event
from tyk_cffi.proto.coprocess_response_object_pb2 import ResponseObject as Response
from tyk_cffi.proto.coprocess_session_state_pb2 import SessionState as Session
from tyk_cffi.request import Request
from tyk_cffi.spec import Spec

__all__ = ["Event", "EventFunction", "HookFunction", "Metadata", "Request", "Response"]
__all__ += ["Session", "Spec"]

Metadata = MutableMapping[str, str]

HookFunction = (
    Callable[[Request, Session, Spec], Any]
    | Callable[[Request, Session, Metadata, Spec], Any]
    | Callable[[Request, Response, Session, Metadata, Spec], Any]
)
EventFunction = Callable[[Event, Spec], Any]
