"""What can go wrong, and the C status that tells the host."""

from __future__ import annotations

from typing import ClassVar


class GatewayError(Exception):
    """Base of all errors of the runtime.

    ``status`` names the member of ``enum gateway_status`` (libgateway.h) that
    the host gets for it.
    """

    status: ClassVar[str] = "GATEWAY_HOOK_FAILED"


class HookError(GatewayError):
    """A hook or an event handler raised, or returned what it must not."""


class UnknownError(GatewayError):
    """No hook, event handler or handle of that name."""

    status = "GATEWAY_UNKNOWN"


class MessageError(GatewayError):
    """Bytes from the host do not decode."""

    status = "GATEWAY_BAD_MESSAGE"


class LoadError(GatewayError):
    """The code of a source did not load; what was there before stays."""

    status = "GATEWAY_LOAD_FAILED"


class SignatureError(LoadError, TypeError):
    """A decorated function does not take what its kind of hook is given."""


class StoreError(GatewayError):
    """The gateway's store did not do what was asked; nothing was read or written for sure."""


class StoreTimeoutError(StoreError, TimeoutError):
    """The store did not answer before the deadline."""


class NoGatewayError(GatewayError, RuntimeError):
    """A service of the gateway was asked for where no gateway runs."""


class BundleError(GatewayError):
    """A bundle cannot be made, or is not sound."""
