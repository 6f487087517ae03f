"""The package that contains each source of plugin code as a subpackage.

``tyk_plugins.directory.plugin`` is ``plugin.py`` in the plugin directory. Importing this
package makes the sources importable, in child processes of the gateway too.
"""

import importlib
from typing import Any

from tyk_cffi import importing

importing.install()


def __getattr__(name: str) -> Any:
    try:
        return importlib.import_module(f"{__name__}.{name}")
    except ModuleNotFoundError:
        raise AttributeError(f"there is no plugin source {name!r}") from None
