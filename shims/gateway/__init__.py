"""``from gateway import TykGateway as tyk``."""

from tyk_cffi.gateway import TykGateway

__all__ = ["TykGateway"]
