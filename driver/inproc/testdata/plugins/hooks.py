"""Hooks of the driver's tests."""

import json
import sys
import time

from gateway import TykGateway as tyk
from tyk.decorators import *


@Pre
def add_one_header(request, session, spec):
    request.add_header("X-Added", "yes")
    return request, session


@Hook
def tell_request(request, session, spec):
    """Answers with what Python read, as JSON."""
    o = request.object
    seen = {
        "headers": dict(o.headers),
        "params": dict(o.params),
        "method": o.method,
        "url": o.url,
        "uri": o.request_uri,
        "scheme": o.scheme,
        "code": o.return_overrides.response_code,
        "body": o.raw_body.hex(),
        "spec": dict(spec),
    }
    o.return_overrides.response_code = 200
    o.return_overrides.response_body = json.dumps(seen)


@Hook
def apply_changes(request, session, spec):
    """Makes the changes that the body lists, through protobuf's own message."""
    o = request.object
    for name, value in json.loads(o.raw_body).items():
        field = getattr(o, name)
        if isinstance(value, dict) and name != "return_overrides":
            for k, v in value.items():
                field[k] = v
        elif isinstance(value, list):
            field.extend(value)
        elif name == "return_overrides":
            for k, v in value.items():
                getattr(field, k).update(v) if isinstance(v, dict) else setattr(field, k, v)
        else:
            setattr(o, name, value)


@Hook
def touch_session(request, session, spec):
    """Parses and serialises the session, and changes one field of it."""
    session.alias = "touched by " + spec["APIID"]
    return request, session


@Hook
def swap_body(request, session, spec):
    request.object.raw_body = request.object.raw_body[::-1]


@Hook
def respond(request, response, session, metadata, spec):
    response.headers["X-First"] = "changed"
    response.headers["X-New"] = "new"
    del response.headers["X-Gone"]
    response.status_code = 201
    response.raw_body = response.raw_body + b"!"
    return response


@Hook
def apply_response_changes(request, response, session, metadata, spec):
    """Does what the request's body lists, in order."""
    for what, name, value in json.loads(request.object.raw_body):
        if what == "set":
            response.headers[name] = value
        elif what == "delete":
            response.headers.pop(name, None)
        elif what == "copy":
            response.headers[name] = response.headers.get(value, "")
        else:
            response.multivalue_headers.add(key=name, values=[value])
    return response


@Hook
def give_back(request, session, spec):
    """Sets everything to what it was shown as."""
    o = request.object
    for name in o.headers:
        request.add_header(name, o.headers[name])
    for name in o.params:
        request.add_param(name, o.params[name])
    o.url = o.url
    o.method = o.method


@Hook
def sleep(request, session, spec):
    time.sleep(float(spec["seconds"]))


@Hook
def store(request, session, spec):
    tyk.store_data("key", "value", 60)
    request.add_header("X-Stored", tyk.get_data("key").decode())


@Hook
def get(request, session, spec):
    request.add_header("X-Got", tyk.get_data("key").decode() or "nothing")


@Hook
def counts(request, session, spec):
    """Runs each service of the store on one key after another."""
    added = [tyk.increment_data("n", by, 60) for by in (1, 2**62, -(2**62))]
    left = [tyk.ttl(key) for key in ("n", "key", "none")]
    there = [tyk.exists("n"), tyk.delete_data("n"), tyk.exists("n"), tyk.delete_data("n")]
    request.add_header("X-Counts", repr((added, left, there)))


@Hook
def service(request, session, spec):
    """Runs the service of the store that spec names."""
    more = {"store_data": ("1", 60), "increment_data": (1, 60)}.get(spec["service"], ())
    getattr(tyk, spec["service"])(spec["key"], *more)


@Hook
def trigger(request, session, spec):
    tyk.trigger_event("Happened", "the payload")


@Hook
def fails(request, session, spec):
    raise ValueError("on purpose")


@Hook
def exits(request, session, spec):
    sys.exit(3)


@Hook
def recurses(request, session, spec):
    return recurses(request, session, spec)


@Hook
def bad_header(request, session, spec):
    request.add_header("X-Split", "one\r\nX-Second: two")


@Hook
def use_numpy(request, session, spec):
    import numpy

    request.add_header("X-Sum", str(int(numpy.arange(10).sum())))


@Event
def remember(event, spec):
    tyk.log("event " + event["Type"] + " of " + spec["APIID"], "warning")


@Hook
async def sleeps_async(request, session, spec):
    import asyncio

    await asyncio.sleep(float(spec["seconds"]))
    request.add_header("X-Slept", spec["seconds"])


@Pre
def sends_much(request, session, spec):
    """Gives the host more than its limits allow: spec says of what, and how much."""
    much = "x" * int(spec["size"])
    match spec["what"]:
        case "log":
            tyk.log(much)
        case "store":
            tyk.store_data("key", much, 60)
        case "key":
            tyk.get_data(much)
        case "delete_data" | "increment_data" | "ttl" | "exists" as service:
            getattr(tyk, service)(much)
        case "event":
            tyk.trigger_event("E", much)
        case "header":
            request.add_header("X", much)
        case "body":
            request.object.raw_body = much.encode()
        case "override":
            request.object.return_overrides.response_code = 200
            request.object.return_overrides.response_body = much
        case "error":
            raise ValueError(much)


@Pre
def logs_debug(request, session, spec):
    import logging

    logging.getLogger("library").debug("a debug record")
    tyk.log("a debug record of tyk.log", "debug")
