"""Views of messages with a body, which is read on demand and kept outside the message."""

from __future__ import annotations

from typing import Any

from tyk_cffi.body import Body
from tyk_cffi.ended import ENDED
from tyk_cffi.view import MessageView


class BodyView(MessageView):
    """A view of a message whose ``raw_body`` and ``body`` are kept outside it.

    All other fields are those of the message. Operations on the whole message
    (``SerializeToString``, ``ListFields``, ``==``, ``str``) first copy the body into it;
    :meth:`settle` takes it out again.
    """

    __slots__ = ("_body", "_filled", "_message")
    _body: Body
    _filled: bool

    @classmethod
    def of(cls, message: Any, body: Body) -> Any:
        """Return a view of a message and the body that it has not."""
        view = object.__new__(cls)
        view._message = message
        view._body = body
        view._filled = False
        return view

    def _get(self) -> Any:
        if not self._filled:
            self._message.raw_body = self._body.raw
            self._message.body = self._body.text
            self._filled = True
        return self._message

    def _pull(self) -> None:
        """Apply changes of the body in the filled message, and remove it from the message."""
        if self._filled:
            if self._message.raw_body != self._body.raw:
                self._body.raw = self._message.raw_body
            if self._message.body != self._body.text:
                self._body.text = self._message.body
            self._message.ClearField("raw_body")
            self._message.ClearField("body")
            self._filled = False

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
        """The body as text; empty if it is not UTF-8 or the hook has ``raw_body_only``."""
        self._pull()
        return self._body.text

    @body.setter
    def body(self, value: str) -> None:
        self._pull()
        self._body.text = value

    def settle(self) -> None:
        """End of the hook: move the body and its changes from the message to ``Body``."""
        self._pull()

    def end(self) -> None:
        """End of the call: make later use of the message or the body an error."""
        self._filled = False  # after an error in the hook it may be true
        self._message = ENDED
        self._body = ENDED

    def new_body(self) -> bytes | None:
        """Return the body that replaces the host's, ``None`` if it is unchanged."""
        self.settle()
        return self._body.replacement()
