"""Views of the ``map<string, string>`` fields of messages."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any


class MapView(MutableMapping[str, str]):
    """A view of a ``map<string, string>`` of a message, which it looks up at each access.

    A map object of protobuf no longer belongs to the message once that is cleared, parsed
    or copied into, and it could be used after the call.
    """

    __slots__ = ()

    def _map(self) -> Any:
        raise NotImplementedError

    def MergeFrom(self, other: Any) -> None:
        """Add the entries of a map of another message, replacing those of equal keys."""
        self._map().MergeFrom(other)

    def GetEntryClass(self) -> Any:
        """Return the message class of the map's entries."""
        return self._map().GetEntryClass()

    def __getitem__(self, key: str) -> str:
        value: str = self._map()[key]
        return value

    def __setitem__(self, key: str, value: str) -> None:
        self._map()[key] = value

    def __delitem__(self, key: str) -> None:
        del self._map()[key]

    def __contains__(self, key: object) -> bool:
        return key in self._map()

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value, or ``default`` if there is none, without adding the key."""
        return self._map().get(key, default)

    # Not those of MutableMapping: to read an absent key of protobuf's maps is no KeyError.

    def setdefault(self, key: str, default: Any = "") -> str:
        """Return the value, after setting it to ``default`` if there is none."""
        value: str = self._map().setdefault(key, default)
        return value

    def pop(self, key: str, *default: Any) -> Any:
        """Remove a key and return its value, or ``default`` if there is none."""
        return self._map().pop(key, *default)

    def clear(self) -> None:
        """Remove all entries."""
        self._map().clear()

    def __iter__(self) -> Iterator[str]:
        for key in self._map():
            yield key
            self._map()  # an error once the call has ended

    def __len__(self) -> int:
        return len(self._map())

    def __repr__(self) -> str:
        return repr(dict(self))

    def __reduce__(self) -> Any:
        return dict, (dict(self),)


class FieldMap(MapView):
    """A map of a message that has a view."""

    __slots__ = ("_name", "_owner")

    def __init__(self, owner: Any, name: str) -> None:
        self._owner = owner
        self._name = name

    def _map(self) -> Any:
        return getattr(self._owner._message, self._name)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value, or ``default`` if there is none, without adding the key."""
        return getattr(self._owner._message, self._name).get(key, default)  # the common call


def map_field(name: str) -> Any:
    """Return a property for a view's ``map<string, string>`` field of that name."""
    return property(lambda view: FieldMap(view, name))
