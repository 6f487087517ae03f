"""``from tyk.types import Request, Session, Spec``: types for annotations."""

from tyk_cffi.types import *
