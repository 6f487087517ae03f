"""Handles every failed authentication (see the gateway-wide event_handlers in tyk.conf)."""

import json

from tyk.decorators import Event
from tyk.types import Event as EventMessage
from tyk.types import Spec


@Event
def my_handler(event: EventMessage, spec: Spec) -> None:
    print("my_handler:", json.dumps(event), dict(spec))
