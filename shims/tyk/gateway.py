"""``from tyk.gateway import TykGateway``: the gateway's services."""

from tyk_cffi.gateway import TykGateway

__all__ = ["TykGateway"]
