"""The ``event`` argument of event handlers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tyk_cffi.errors import MessageError
from tyk_cffi.spec import Spec

Event = dict[str, Any]
"""``{"TimeStamp": …, "Meta": {…}, "Type": …}`` (contract 7)."""


@dataclass(frozen=True)
class EventCall:
    """One call of an event handler."""

    handler: str
    event: Event
    spec: Spec

    @classmethod
    def from_json(cls, data: bytes) -> EventCall:
        """Read the host's JSON (contract 7).

        Raises:
            MessageError: a key is missing or has the wrong type; the text names it.
        """
        try:
            raw = json.loads(data)
            return cls(raw["handler_name"], raw["message"], Spec(raw.get("spec") or {}))
        except KeyError as error:
            raise MessageError(f"the event has no {error.args[0]!r}") from error
        except (ValueError, TypeError) as error:
            raise MessageError(f"the event is not the expected JSON: {error}") from error
