"""``from gateway import TykGateway as tyk``: the gateway's services."""

from tyk_cffi.gateway import TykGateway

__all__ = ["TykGateway"]
