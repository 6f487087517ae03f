"""``from tyk.session import *``: the session messages."""

from tyk_cffi.session import *
