"""``from tyk.decorators import *``: decorators for hooks and event handlers."""

from tyk_cffi.decorators import *
