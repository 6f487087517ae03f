"""The object that replaces a call's message when the call has ended."""

from __future__ import annotations

from typing import Any, NoReturn

from tyk_cffi.errors import HookError


class _Ended:
    """Raises ``HookError`` on every attribute access.

    Views read their message at each access. Replacing it therefore closes all views of
    the message at once and costs nothing while the call runs.
    """

    __slots__ = ()

    def _refuse(self, *_: object) -> NoReturn:
        raise HookError(
            "used after its call had ended: a request and the objects read from it are valid "
            "only during the call; copy what you need later"
        )

    __getattr__ = __setattr__ = __delattr__ = _refuse


ENDED: Any = _Ended()
