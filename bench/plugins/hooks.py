"""The hooks that are measured."""

import gc
import socket
import time

from gateway import TykGateway as tyk
from tyk.decorators import *

_silent, _ = socket.socketpair()
_silent.settimeout(0.2)


@Pre
def add_header(request, session, spec):
    request.add_header("X-Added", "yes")
    return request, session


@Pre
def read_body(request, session, spec):
    len(request.object.raw_body)
    return request, session


@Pre
def replace_body(request, session, spec):
    request.object.raw_body = request.object.raw_body + b"!"
    return request, session


@Pre
def get_data(request, session, spec):
    tyk.get_data("bench")
    return request, session


@Pre
def time_sleep(request, session, spec):
    time.sleep(0.2)


@Pre
def socket_read(request, session, spec):
    try:
        _silent.recv(1)
    except TimeoutError:
        pass


@Pre
def slow_get_data(request, session, spec):
    tyk.get_data("slow")


@Pre
def fails(request, session, spec):
    raise ValueError("on purpose")


@Pre
def objects(request, session, spec):
    gc.collect()
    request.add_header("X-Objects", str(len(gc.get_objects())))


@Event
def handler(event, spec):
    pass
