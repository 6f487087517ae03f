"""Python middleware for an API gateway: the runtime behind ``libgateway``."""

__version__ = "0.1.0"
