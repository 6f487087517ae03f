"""What CFFI generates: ffi, and lib with what libgateway.h declares."""

from collections.abc import Callable
from typing import Any, TypeVar

_F = TypeVar("_F", bound=Callable[..., Any])

class _FFI:
    NULL: Any
    def def_extern(self, name: str = ...) -> Callable[[_F], _F]: ...
    def new(self, cdecl: str) -> Any: ...
    def typeof(self, cdecl: str) -> Any: ...
    def unpack(self, cdata: Any, length: int) -> bytes: ...
    def buffer(self, cdata: Any, size: int) -> Any: ...

ffi: _FFI
lib: Any
