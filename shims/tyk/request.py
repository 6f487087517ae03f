"""``from tyk.request import TykCoProcessRequest``."""

from tyk_cffi.request import Request as TykCoProcessRequest

__all__ = ["TykCoProcessRequest"]
