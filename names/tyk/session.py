"""``from tyk.session import *``: names of the session messages."""

from tyk_cffi.session import *
from tyk_cffi.session import __all__ as __all__
