"""The package below which each source of plugin code has its importable name.

``tyk_plugins.directory.plugin`` is ``plugin.py`` of the plugin directory. Importing this
package makes these names known, in a process that the gateway's plugins started as well.
"""

from tyk_cffi import importing

importing.install()
