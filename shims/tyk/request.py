"""``from tyk.request import TykCoProcessRequest``: the type of ``request``."""

from tyk_cffi.request import Request as TykCoProcessRequest

__all__ = ["TykCoProcessRequest"]
