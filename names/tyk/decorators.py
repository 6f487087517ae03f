"""``from tyk.decorators import *``."""

from tyk_cffi.decorators import *
from tyk_cffi.decorators import __all__ as __all__
