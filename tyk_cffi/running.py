"""The running hook or event handler, to which services and log records refer."""

from __future__ import annotations

from contextvars import ContextVar
from typing import NamedTuple


class Running(NamedTuple):
    """The API and the hook for which code runs; empty outside of calls."""

    api: str
    hook: str


NOTHING = Running("", "")

running: ContextVar[Running] = ContextVar("running", default=NOTHING)
