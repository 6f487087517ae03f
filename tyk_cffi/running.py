"""Which hook or event handler is running, for services and log records it asks for."""

from __future__ import annotations

from contextvars import ContextVar
from typing import NamedTuple


class Running(NamedTuple):
    """The API and the hook on whose behalf code runs; empty outside of any."""

    api: str
    hook: str


NOTHING = Running("", "")

running: ContextVar[Running] = ContextVar("running", default=NOTHING)
