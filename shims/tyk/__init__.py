"""The import names that plugins use; the implementation is in ``tyk_cffi``."""
