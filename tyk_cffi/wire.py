"""A hand-written encoder for the few protobuf fields that hooks change most often.

A hook that only adds a header needs no parsed message: its change is a few bytes, which are
appended to the received bytes or returned alone. Both are correct because concatenated
protobuf messages merge.
"""

from __future__ import annotations

from google.protobuf.message import Message

from tyk_cffi.proto.coprocess_mini_request_object_pb2 import MiniRequestObject
from tyk_cffi.proto.coprocess_object_pb2 import Object


def _tag(message: type[Message], name: str) -> int:
    """Return the tag of a length-delimited field: its number and the wire type 2."""
    number: int = message.DESCRIPTOR.fields_by_name[name].number
    return number << 3 | 2


OBJECT_REQUEST = _tag(Object, "request")
SET_HEADERS = _tag(MiniRequestObject, "set_headers")
DELETE_HEADERS = _tag(MiniRequestObject, "delete_headers")
ADD_PARAMS = _tag(MiniRequestObject, "add_params")
DELETE_PARAMS = _tag(MiniRequestObject, "delete_params")

# Of the entries of maps.
_KEY = 1 << 3 | 2
_VALUE = 2 << 3 | 2
_ONE_BYTE = 0x80  # lengths below this take one byte
_C = [chr(number) for number in range(_ONE_BYTE)]


def varint(number: int) -> bytes:
    """Return a non-negative number as a base-128 varint."""
    out = bytearray()
    while number >= _ONE_BYTE:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(tag: int, payload: bytes) -> bytes:
    """Return one length-delimited field."""
    size = len(payload)
    if size < _ONE_BYTE:
        return b"%c%c%b" % (tag, size, payload)
    return b"%c%b%b" % (tag, varint(size), payload)


def text(tag: int, value: str) -> bytes:
    """Return one ``string`` field.

    Raises:
        TypeError: ``value`` is not a string.
        UnicodeEncodeError: it contains lone surrogates.
    """
    if not isinstance(value, str):
        raise TypeError(f"expected a string, got {type(value).__name__}: {value!r}")
    return field(tag, value.encode())


def entry(tag: int, key: str, value: str) -> bytes:
    """Return one entry of a ``map<string, string>`` field.

    Raises:
        TypeError: ``key`` or ``value`` is not a string.
        UnicodeEncodeError: one of them contains lone surrogates.
    """
    if not (isinstance(key, str) and isinstance(value, str)):
        raise TypeError(
            f"name and value must be strings, got {type(key).__name__} {key!r} "
            f"and {type(value).__name__} {value!r}"
        )
    nk, nv = len(key), len(value)
    if nk + nv < _ONE_BYTE - 4 and key.isascii() and value.isascii():  # the common case
        return f"{_C[tag]}{_C[nk + nv + 4]}\n{_C[nk]}{key}\x12{_C[nv]}{value}".encode()
    return field(tag, field(_KEY, key.encode()) + field(_VALUE, value.encode()))
