"""The session view behaves like the message in all fields."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tyk_cffi.envelope import Envelope
from tyk_cffi.proto.coprocess_object_pb2 import Object
from tyk_cffi.proto.coprocess_session_state_pb2 import AccessDefinition, AccessSpec, SessionState
from tyk_cffi.session import session_of

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
VALUES: dict[int, st.SearchStrategy[Any]] = {
    1: st.floats(allow_nan=False),  # TYPE_DOUBLE
    3: st.integers(-(2**63), 2**63 - 1),  # TYPE_INT64
    8: st.booleans(),  # TYPE_BOOL
    9: TEXT,  # TYPE_STRING
}
FIELDS = SessionState.DESCRIPTOR.fields_by_name


@st.composite
def states(draw: st.DrawFn) -> SessionState:
    """Any session, with all fields, including nested ones."""
    state: Any = SessionState()
    for name, field in FIELDS.items():
        if field.type in VALUES and not field.is_repeated:
            setattr(state, name, draw(VALUES[field.type]))
    for name in ("tags", "apply_policies"):
        getattr(state, name).extend(draw(st.lists(TEXT, max_size=3)))
    for name in ("oauth_keys", "metadata"):
        getattr(state, name).update(draw(st.dictionaries(TEXT, TEXT, max_size=3)))
    state.monitor.trigger_limits.extend(draw(st.lists(st.floats(allow_nan=False), max_size=3)))
    state.basic_auth_data.hash = draw(TEXT)
    state.jwt_data.secret = draw(TEXT)
    for api in draw(st.lists(TEXT, max_size=2)):
        state.access_rights[api].CopyFrom(
            AccessDefinition(api_id=api, allowed_urls=[AccessSpec(url="/", methods=["GET"])])
        )
    session: SessionState = state
    return session


def view(state: SessionState) -> tuple[Envelope, Any]:
    envelope = Envelope(Object(session=state).SerializeToString())
    return envelope, session_of(envelope)


@given(states())
def test_every_field_reads_as_in_the_message(state: SessionState) -> None:
    """All 34 of them."""
    assert len(FIELDS) == 34
    _, session = view(state)
    for name in FIELDS:
        assert getattr(session, name) == getattr(state, name)
    assert session == state
    assert isinstance(session, SessionState)


@given(states(), TEXT, st.floats(allow_nan=False))
def test_what_is_written_comes_back_and_the_rest_stays(
    state: SessionState, alias: str, rate: float
) -> None:
    """Set a field, a map's entry, a list's item."""
    envelope, session = view(state)
    session.alias, session.rate = alias, rate
    session.metadata["token"] = alias
    session.tags.append("tag")
    state.alias, state.rate = alias, rate
    state.metadata["token"] = alias
    state.tags.append("tag")
    assert Object.FromString(envelope.reply()).session == state


def test_an_untouched_session_is_not_parsed() -> None:
    """The message stays encoded, and the reply is empty."""
    envelope, _ = view(SessionState(alias="a"))
    assert envelope.message is None
    assert envelope.reply() == b""
