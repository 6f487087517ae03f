"""``from tyk.decorators import *``."""

from tyk_cffi.decorators import *
