"""``from tyk.gateway import TykGateway``."""

from tyk_cffi.gateway import TykGateway

__all__ = ["TykGateway"]
