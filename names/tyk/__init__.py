"""Import names that plugins use; the real things live in ``tyk_cffi``."""
