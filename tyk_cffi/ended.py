"""What stands in place of a call's message once the call has ended."""

from __future__ import annotations

from typing import Any, NoReturn

from tyk_cffi.errors import HookError


class _Ended:
    """Raises whatever is read from it or set on it.

    Views look at their message each time, so putting this in its place costs
    nothing while the call runs and closes every view of it at once.
    """

    __slots__ = ()

    def _refuse(self, *_: object) -> NoReturn:
        raise HookError(
            "used after its call had ended: a request and everything reached through it "
            "can be used only during its own call; copy what you need later"
        )

    __getattr__ = __setattr__ = __delattr__ = _refuse


ENDED: Any = _Ended()
