"""Called for every failed authentication (the gateway-wide event_handlers in tyk.conf)."""

import json

from tyk.decorators import Event


@Event
def my_handler(event, spec):
    print("my_handler:", json.dumps(event), dict(spec))
