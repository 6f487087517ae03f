"""What hooks are given does what the messages do, in all forms of hooks."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format, text_format
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from support.source import Hook, Source

from tyk_cffi.proto.coprocess_mini_request_object_pb2 import MiniRequestObject
from tyk_cffi.proto.coprocess_object_pb2 import Object
from tyk_cffi.proto.coprocess_response_object_pb2 import ResponseObject
from tyk_cffi.proto.coprocess_session_state_pb2 import SessionState

FORMS = {
    "request": "request, session, spec",
    "auth": "request, session, metadata, spec",
    "response": "request, response, session, metadata, spec",
}
# What a hook of each form is given that is a message, and its field in Object.
GIVEN = [
    ("request", "session", "session"),
    ("auth", "session", "session"),
    ("response", "session", "session"),
    ("request", "request.object", "request"),
    ("auth", "request.object", "request"),
    ("response", "request.object", "request"),
    ("response", "response", "response"),
]
CLASSES: dict[str, type[Message]] = {
    "session": SessionState,
    "request": MiniRequestObject,
    "response": ResponseObject,
}

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "double": st.floats(allow_nan=False),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "bool": st.booleans(),
    "string": TEXT,
    "bytes": st.binary(max_size=8),
}
TYPES = {1: "double", 3: "int64", 5: "int32", 8: "bool", 9: "string", 12: "bytes"}


def kind(field: Any) -> str:
    """Return ``map``, ``message``, ``list`` or the name of a scalar's type."""
    if field.message_type and field.message_type.GetOptions().map_entry:
        return "messages" if field.message_type.fields_by_name["value"].message_type else "map"
    if field.is_repeated:
        return "list of messages" if field.message_type else "list"
    return "message" if field.message_type else TYPES[field.type]


@st.composite
def messages(draw: st.DrawFn, cls: Any, depth: int = 0) -> Any:
    """Any message of a class: maps, lists and nested messages included."""
    message = cls()
    for name, field in cls.DESCRIPTOR.fields_by_name.items():
        if name == "body" or not draw(st.booleans()):
            continue  # a view's body is its raw_body's text
        value, what = getattr(message, name), kind(field)
        if what == "map":
            value.update(draw(st.dictionaries(TEXT, TEXT, min_size=1, max_size=2)))
        elif what == "messages":
            of = field.message_type.fields_by_name["value"].message_type._concrete_class
            value[draw(TEXT)].CopyFrom(draw(messages(of, depth + 1)))
        elif what == "message":
            value.CopyFrom(draw(messages(type(value), depth + 1)))
        elif what == "list of messages":
            value.append(draw(messages(field.message_type._concrete_class, depth + 1)))
        elif what == "list":
            value.extend(draw(st.lists(KINDS[TYPES[field.type]], min_size=1, max_size=2)))
        else:
            setattr(message, name, draw(KINDS[what]))
    return message


def with_text(message: Any) -> Any:
    """Return the message with the text of its body, as a view has it."""
    if "raw_body" in message.DESCRIPTOR.fields_by_name:
        try:
            message.body = message.raw_body.decode()
        except UnicodeDecodeError:
            message.body = ""
    return message


Operation = Callable[[Any], Any]


# Each returns something that is compared, or raises.
WHOLE: dict[str, Operation] = {
    "serialize": lambda m: m.SerializeToString(deterministic=True),
    "partial": lambda m: m.SerializePartialToString(deterministic=True),
    "size": lambda m: m.ByteSize(),
    "list": lambda m: [(f.name, plain(v)) for f, v in m.ListFields()],
    "initialized": lambda m: (m.IsInitialized(), m.FindInitializationErrors()),
    "str": str,
    "repr": repr,
    "bool": bool,
    "json": json_format.MessageToDict,
    "json with defaults": lambda m: json_format.MessageToJson(m, sort_keys=True),
    "text": text_format.MessageToString,
    "copy": copy.copy,
    "deepcopy": lambda m: copy.deepcopy({"in": [m, m]})["in"],
    "pickle": lambda m: [pickle.loads(pickle.dumps(m, p)) for p in range(2, 6)],
    "reduce": lambda m: m.__reduce__()[1],
    "class": lambda m: (m.__class__, m.DESCRIPTOR.full_name, isinstance(m, Message)),
    "call the type": lambda m: type(m)() == m.__class__(),
    "from string": lambda m: type(m).FromString(m.SerializeToString()),
    "number": lambda m: [
        getattr(m, f"{f.upper()}_FIELD_NUMBER") for f in m.DESCRIPTOR.fields_by_name
    ],
    "merge in C": lambda m: m.__class__.MergeFrom(m.__class__(), m),
    "copied in C": lambda m: [c := m.__class__(), c.CopyFrom(m), c][2],
    "hash": hash,
    "vars": lambda m: sorted(vars(m)),
    "state": lambda m: m.__getstate__().keys(),
    "dir": lambda m: set(m.DESCRIPTOR.fields_by_name) <= set(dir(m))
    and set(dir(m.__class__())) <= set(dir(m)),
    "discard": lambda m: m.DiscardUnknownFields(),
    "clear": lambda m: m.Clear(),
    "clear nothing": lambda m: m.ClearField("nothing"),
    "has unknown": lambda m: m.HasField("nothing"),
    "get unknown": lambda m: m.nothing,
    "set unknown": lambda m: setattr(m, "nothing", 1),
    "which": lambda m: m.WhichOneof("nothing"),
    "parse rubbish": lambda m: m.ParseFromString(b"\xff"),
    "itself": lambda m: (m == m, m != m),
    "something else": lambda m: (m == 5, m != "a", m == None, m in [1]),  # noqa: E711
    "merge itself": lambda m: m.CopyFrom(m),
    "merge another type": lambda m: m.MergeFrom(Object()),
    "presence": lambda m: m.SetInParent(),
}


# Each takes a message of the same class.
WITH_ANOTHER: dict[str, Callable[[Any, Any], Any]] = {
    "copy": lambda m, other: m.CopyFrom(other),
    "merge": lambda m, other: m.MergeFrom(other),
    "parse": lambda m, other: m.ParseFromString(other.SerializeToString()),
    "merge bytes": lambda m, other: m.MergeFromString(other.SerializeToString()),
    "text": lambda m, other: text_format.Merge(text_format.MessageToString(other), m) and None,
    "json": lambda m, other: json_format.ParseDict(json_format.MessageToDict(other), m) and None,
    "equal": lambda m, other: (m == other, other == m, m != other, other != m),
    "restore": lambda m, other: m.__setstate__(other.__getstate__()),
}


@st.composite
def operations(draw: st.DrawFn, cls: Any) -> tuple[str, Callable[[Any], Any]]:
    """One operation on a message of that class, with a name for reports."""
    how = draw(st.sampled_from(["whole", "another", "field", "field", "field"]))
    if how == "whole":
        name = draw(st.sampled_from(sorted(WHOLE)))
        return name, WHOLE[name]
    if how == "another":
        name = draw(st.sampled_from(sorted(WITH_ANOTHER)))
        other = draw(messages(cls))
        return f"{name} {other}", lambda m: WITH_ANOTHER[name](m, other)
    name, field = draw(st.sampled_from(sorted(cls.DESCRIPTOR.fields_by_name.items())))
    return draw(field_operations(name, kind(field), field))


@st.composite
def field_operations(
    draw: st.DrawFn, name: str, what: str, field: Any
) -> tuple[str, Callable[[Any], Any]]:
    """One operation on one field, by its kind."""
    key, value = draw(TEXT), draw(TEXT)
    choices: dict[str, Callable[[Any], Any]] = {
        f"read {name}": lambda m: plain(getattr(m, name)),
        f"clear {name}": lambda m: m.ClearField(name),
        f"has {name}": lambda m: m.HasField(name),
        f"{name} in": lambda m: name in m,
        f"delete {name}": lambda m: delattr(m, name),
        f"set {name} to an object": lambda m: setattr(m, name, object()),
        f"build from {name}": lambda m: m.__class__(**{name: getattr(m, name)}),
    }
    if what == "map":
        choices |= {
            f"set {name} {key!r}": lambda m: getattr(m, name).__setitem__(key, value),
            f"read {name} {key!r}": lambda m: getattr(m, name)[key],
            f"pop {name}": lambda m: getattr(m, name).pop(key, None),
            f"get {name}": lambda m: getattr(m, name).get(key, 1),
            f"update {name}": lambda m: getattr(m, name).update({key: value}, other=value),
            f"clear all {name}": lambda m: getattr(m, name).clear(),
            f"default {name}": lambda m: getattr(m, name).setdefault(key, value),
            f"merge {name}": lambda m: m.__class__()
            .__getattribute__(name)
            .MergeFrom(getattr(m, name)),
            f"items {name}": lambda m: sorted(getattr(m, name).items()),
            f"keys {name}": lambda m: (sorted(getattr(m, name)), len(getattr(m, name))),
            f"wrong {name}": lambda m: getattr(m, name).__setitem__(key, 5),
            f"equal {name}": lambda m: getattr(m, name) == dict(getattr(m, name)),
            f"entry {name}": lambda m: getattr(m, name).GetEntryClass().full_name,
        }
    elif what == "messages":
        choices[f"add {name}"] = lambda m: getattr(m, name)[key].SetInParent()
    elif what == "list of messages":
        choices[f"add {name}"] = lambda m: getattr(m, name).add(key=key) and None
    elif what == "list":
        choices[f"append {name}"] = lambda m: getattr(m, name).append(value)
    elif what == "message":
        choices[f"mark {name}"] = lambda m: getattr(m, name).SetInParent()
    elif name not in ("body", "raw_body"):
        scalar = draw(KINDS[what])
        choices[f"set {name} to {scalar!r}"] = lambda m: setattr(m, name, scalar)
    if name in ("body", "raw_body"):  # a view's texts are those of the bytes until they are set
        choices = {f"read {name}": choices[f"read {name}"], f"in {name}": choices[f"{name} in"]}
    chosen = draw(st.sampled_from(sorted(choices)))
    return chosen, choices[chosen]


def plain(value: Any) -> Any:
    """Return maps and lists as what they contain."""
    if hasattr(value, "items"):
        return {key: plain(item) for key, item in value.items()}
    return str(value) if not isinstance(value, (str, bytes, int, float)) else value


def outcome(operation: Callable[[Any], Any], on: Any) -> Any:
    """Return the result of an operation, or the type of its error."""
    try:
        return operation(on)
    except Exception as error:
        return type(error)


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Hook]:
    """A hook for each form and argument; it passes the argument to its module's ``use``."""
    bound = {}
    for form, expression, field in GIVEN:
        path: Path = tmp_path_factory.mktemp("source")
        source = Source(path, key=str(path))
        source.hook(f"globals()['use']({expression})", arguments=FORMS[form])
        source.load()
        kind = "Response" if form == "response" else "Pre"
        bound[form, field] = source.bind(kind=kind)
    return bound


def call(hook: Hook, field: str, message: Any, use: Callable[[Any], None]) -> tuple[Any, Any]:
    """Run the hook on a message; return the message of its reply, and the new body."""
    outer: Any = Object()
    getattr(outer, field).CopyFrom(message)
    body = memoryview(message.raw_body) if field != "session" else None
    if field != "session":
        getattr(outer, field).ClearField("raw_body")
        getattr(outer, field).ClearField("body")
    assert hook.binding.handler is not None
    hook.binding.handler.function.__globals__["use"] = use
    is_response = field == "response"
    out, new = hook.run(
        outer.SerializeToString(), None if is_response else body, body if is_response else None
    )
    return getattr(Object.FromString(out), field), new


@settings(deadline=None, max_examples=150)
@given(data=st.data(), what=st.sampled_from(GIVEN))
def test_operations_do_what_they_do_on_the_message(
    hooks: dict[tuple[str, str], Hook], data: st.DataObject, what: tuple[str, str, str]
) -> None:
    """Results, errors and what the gateway gets."""
    form, _, field = what
    cls = CLASSES[field]
    model = with_text(data.draw(messages(cls)))
    steps = data.draw(st.lists(operations(cls), max_size=8))
    before = copy.deepcopy(model)

    def use(view: Any) -> None:
        assert isinstance(view, cls)
        for name, operation in steps:
            expected = outcome(operation, model)
            assert outcome(operation, view) == expected, name
        assert view == model
        assert model == view

    got, body = call(hooks[form, field], field, before, use)
    if field == "session":
        assert got == model
        return
    if (form == "response") == (field == "response"):
        assert (before.raw_body if body is None else body) == new_body(before, model)
    for name in ("raw_body", "body"):
        model.ClearField(name)
    assert got == model


def new_body(before: Any, after: Any) -> bytes:
    """Return the body that the gateway sends on, by section 6 of the contract."""
    if after.raw_body == before.raw_body and after.body != before.body:
        return str(after.body).encode()
    return bytes(after.raw_body)


@pytest.mark.parametrize("form", FORMS)
def test_the_session_has_one_type_in_all_forms(
    hooks: dict[tuple[str, str], Hook], form: str
) -> None:
    """Calling it makes a message."""
    types: list[Any] = []
    for each in ("request", form):
        call(hooks[each, "session"], "session", SessionState(), lambda s: types.append(type(s)))
    assert types[0] is types[1]
    assert type(types[0](alias="a")) is SessionState
    assert isinstance(SessionState(), types[0])
    assert not isinstance(Object(), types[0])


@pytest.mark.parametrize("what", GIVEN)
def test_protobuf_takes_what_hooks_are_given(
    hooks: dict[tuple[str, str], Hook], what: tuple[str, str, str]
) -> None:
    """In its constructors, CopyFrom and MergeFrom, which are C code."""
    form, _, field = what
    message: Any = CLASSES[field]()
    if field == "session":
        message.alias = "alice"
    else:
        message.raw_body = b"body"
    with_text(message)

    def use(view: Any) -> None:
        outer: Any = Object(**{field: view})
        merged: Any = Object()
        getattr(merged, field).MergeFrom(view)
        getattr(merged, field).CopyFrom(view)
        for each in (outer, merged):
            assert getattr(each, field) == message
        for copied in (copy.copy(view), copy.deepcopy(view), pickle.loads(pickle.dumps(view))):
            assert type(copied) is CLASSES[field]
            assert copied == message

    call(hooks[form, field], field, message, use)
