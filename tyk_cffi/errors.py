"""Exceptions of the runtime, and the C status of each."""

from __future__ import annotations

from typing import ClassVar


class GatewayError(Exception):
    """Base class of the runtime's exceptions.

    ``status`` is the member of ``enum gateway_status`` (libgateway.h) that is returned
    to the host.
    """

    status: ClassVar[str] = "GATEWAY_HOOK_FAILED"


class HookError(GatewayError):
    """A hook or event handler failed or returned an invalid value."""


class UnknownError(GatewayError):
    """A hook, event handler or handle does not exist."""

    status = "GATEWAY_UNKNOWN"


class MessageError(GatewayError):
    """A message from the host cannot be decoded."""

    status = "GATEWAY_BAD_MESSAGE"


class LoadError(GatewayError):
    """A source could not be loaded; its previous version stays in use."""

    status = "GATEWAY_LOAD_FAILED"


class SignatureError(LoadError, TypeError):
    """A decorated function does not have the arguments of a hook or event handler."""


class StoreError(GatewayError):
    """The gateway's store failed; a write may or may not have been done."""


class StoreTimeoutError(StoreError, TimeoutError):
    """The store did not answer before the deadline."""


class NoGatewayError(GatewayError, RuntimeError):
    """A service of the gateway was called outside a gateway."""


class BundleError(GatewayError):
    """A bundle cannot be built, or is not valid."""
