"""Hooks that the C programs call."""

import logging
import sys

from gateway import TykGateway as tyk
from tyk.decorators import *


@Pre
def add(request, session, spec):
    request.add_header("X", "y")


@Pre
def read(request, session, spec):
    request.get_header("X")


@Pre
def body(request, session, spec):
    request.object.raw_body = request.object.raw_body * 3


@Pre
def exits(request, session, spec):
    sys.exit(7)


@Pre
def services(request, session, spec):
    tyk.store_data("key", "value", 2)
    tyk.trigger_event("Name", "payload")
    tyk.log(tyk.get_data("there").decode() + "," + repr(tyk.get_data("absent")), "warning")


@Pre
def counters(request, session, spec):
    added = tyk.increment_data("n", -(2**63), 2)
    deleted = [tyk.delete_data(key) for key in ("there", "absent")]
    left = [tyk.ttl(key) for key in ("there", "absent")]
    there = [tyk.exists(key) for key in ("there", "absent")]
    tyk.log(repr((added, deleted, left, there)), "warning")


@Pre
def counts_text(request, session, spec):
    tyk.increment_data("there")


@Pre
def slow(request, session, spec):
    tyk.get_data("slow")


@Pre
def down(request, session, spec):
    tyk.get_data("down")


@Pre
def long_value(request, session, spec):
    tyk.store_data("key", "v" * 10000, 2)


@Pre
def long_event(request, session, spec):
    tyk.trigger_event("Name", "p" * 10000)


@Pre
def long_log(request, session, spec):
    tyk.log("\u00e9" * 600)


@Pre
def long_header(request, session, spec):
    request.add_header("X", "y" * 10000)


@Pre
def long_body(request, session, spec):
    request.object.raw_body = b"z" * 1001


@Pre
def long_error(request, session, spec):
    raise ValueError("e" * 10000)


@Pre
def debugs(request, session, spec):
    class Record:
        def __str__(self):
            print("formatted")
            return "record"

    logging.getLogger("library").debug("%s", Record())
    tyk.log("debug", "debug")


@Event
def handler(event, spec):
    print("handled", event["Type"])
