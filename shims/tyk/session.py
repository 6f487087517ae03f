"""``from tyk.session import *``: names of the session messages."""

from tyk_cffi.session import *
