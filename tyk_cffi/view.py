"""Views that stand for one protobuf message: they look like it, and cost less."""

from __future__ import annotations

from typing import Any

from tyk_cffi.body import Body


class MessageView:
    """Passes everything on to the message that ``_get()`` returns.

    A subclass says where the message comes from and when it is made.
    """

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]  # as protobuf messages

    def _get(self) -> Any:
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        return getattr(self._get(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._get(), name, value)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, MessageView):
            other = other._get()
        return bool(self._get() == other)

    def __str__(self) -> str:
        return str(self._get())

    def __repr__(self) -> str:
        return repr(self._get())


_set_slot = object.__setattr__


class BodyView(MessageView):
    """A view over a message with ``raw_body`` and ``body``, which travel beside it.

    Fields other than these two go to the message. Whatever needs the message
    as a whole (``SerializeToString``, ``ListFields``, ``==``, ``str``) first puts
    the body where a reader expects it; :meth:`settle` takes it out again.
    """

    __slots__ = ("_body", "_filled", "_message")
    FIELDS: frozenset[str] = frozenset()

    _body: Body
    _message: Any
    _filled: bool

    def __init__(self, message: Any, body: Body) -> None:
        _set_slot(self, "_message", message)
        _set_slot(self, "_body", body)
        _set_slot(self, "_filled", False)

    def _get(self) -> Any:
        if not self._filled:
            self._message.raw_body = self._body.raw
            self._message.body = self._body.text
            _set_slot(self, "_filled", True)
        return self._message

    def __getattr__(self, name: str) -> Any:
        return getattr(self._message if name in self.FIELDS else self._get(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.FIELDS:
            setattr(self._message, name, value)
        else:
            object.__setattr__(self, name, value)

    def _pull(self) -> None:
        """What was done to the filled message's body counts as done to the body."""
        if self._filled:
            if self._message.raw_body != self._body.raw:
                self._body.raw = self._message.raw_body
            if self._message.body != self._body.text:
                self._body.text = self._message.body
            self._message.ClearField("raw_body")
            self._message.ClearField("body")
            _set_slot(self, "_filled", False)

    @property
    def raw_body(self) -> bytes:
        """The body's bytes."""
        self._pull()
        return self._body.raw

    @raw_body.setter
    def raw_body(self, value: bytes) -> None:
        self._pull()
        self._body.raw = value

    @property
    def body(self) -> str:
        """The body as text when it is UTF-8 and the hook is not ``raw_body_only``, else empty."""
        self._pull()
        return self._body.text

    @body.setter
    def body(self, value: str) -> None:
        self._pull()
        self._body.text = value

    def settle(self) -> None:
        """End of the hook: the body is out of the message, its changes in ``Body``."""
        self._pull()

    def new_body(self) -> bytes | None:
        """End of the hook, for the dispatcher: the body that replaces the host's, if any."""
        self.settle()
        return self._body.replacement()
