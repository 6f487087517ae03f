"""Hooks that the C programs call."""

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
def slow(request, session, spec):
    tyk.get_data("slow")


@Pre
def down(request, session, spec):
    tyk.get_data("down")


@Event
def handler(event, spec):
    print("handled", event["Type"])
