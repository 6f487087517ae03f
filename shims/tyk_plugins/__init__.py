"""The package below which each source of plugin code has its importable name.

``tyk_plugins.directory.plugin`` is ``plugin.py`` of the plugin directory. Importing this
package makes these names known, in a process that the gateway's plugins started as well.
"""

import importlib
from typing import Any

from tyk_cffi import importing

importing.install()


def __getattr__(name: str) -> Any:
    try:
        return importlib.import_module(f"{__name__}.{name}")
    except ModuleNotFoundError:
        raise AttributeError(f"there is no source of plugins {name!r}") from None
