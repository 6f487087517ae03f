"""What a process does before it runs plugin code, whatever transport brings the calls."""

from __future__ import annotations

from google.protobuf.internal import api_implementation

import tyk_cffi.gateway
from tyk_cffi import guard, logs


def start(host: tyk_cffi.gateway.Host, log_level: int) -> None:
    """Connect the host's services and the log, and install the guards.

    Args:
        host: the services of ``TykGateway``.
        log_level: the lowest level that the host logs.

    Raises:
        ImportError: protobuf would be slow.
    """
    if api_implementation.Type() != "upb":
        raise ImportError(
            f"protobuf does not use its C implementation (found {api_implementation.Type()!r}, "
            f"20 times slower): install a wheel with `pip install --force-reinstall protobuf` "
            f"and unset PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"
        )
    tyk_cffi.gateway.connect(host)
    guard.install()
    logs.install(log_level)
