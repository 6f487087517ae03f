"""Answers to the host's calls: what they are made of, and their limits."""

from __future__ import annotations

import sys
from typing import NamedTuple

from tyk_cffi.errors import GatewayError, LoadError, MessageError, UnknownError
from tyk_cffi.explain import explain

# The name of a status (enum gateway_status in libgateway.h), the message or error text, and
# the body that replaces the call's, if any. A plain tuple, since each call makes one.
Answer = tuple[str, bytes, bytes | None]

OK = "GATEWAY_OK"

# The errors with a status other than that of a failed hook.
_KNOWN = (UnknownError, MessageError, LoadError)


class Limits(NamedTuple):
    """The host's limits in bytes: ``host_limits`` of libgateway.h describes them."""

    store_value: int = sys.maxsize
    event_payload: int = sys.maxsize
    log_message: int = sys.maxsize
    reply_message: int = sys.maxsize
    reply_body: int = sys.maxsize


def failure(error: BaseException, what: str, limit: int) -> Answer:
    """Return the answer to a call that failed, with a text of about ``limit`` bytes at most.

    Args:
        error: what was raised.
        what: what failed, for the text.
        limit: where the text is cut.
    """
    # Not isinstance, which runs a __class__ of the plugin's, nor the error's own status.
    known = (one.status for one in _KNOWN if issubclass(type(error), one))
    status = next(known, GatewayError.status)
    try:
        text = cut(explain(error, what), limit)
    except BaseException as second:  # MemoryError, for instance
        text = f"{what} failed: {type(error).__name__}; its text: {type(second).__name__}".encode()
    return status, text, None


def cut(text: str, limit: int) -> bytes:
    """Encode a text and cut it at ``limit`` bytes, without copying all of it."""
    data = text[:limit].encode(errors="backslashreplace")
    if len(text) <= limit and len(data) <= limit:
        return data
    return data[:limit].decode(errors="ignore").encode() + b" ... [cut: %d characters]" % len(text)
