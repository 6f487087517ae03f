"""Where everything of this installation is: what the gateway asks before it loads any of it."""

from __future__ import annotations

import ctypes
import importlib.metadata
import platform
import sys
import sysconfig
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

import tyk_cffi
from tyk_cffi.errors import GatewayError


@dataclass(frozen=True)
class Info:
    """Paths and versions; an empty path means that the file does not exist."""

    version: str
    abi: int
    python: str
    executable: str
    libpython: str
    library: str
    header: str
    protobuf: str


def collect() -> Info:
    """Collect the paths and versions of this interpreter and installation.

    Raises:
        GatewayError: this is a free-threaded build. protobuf has no wheel for it, and
            built from source it turns the GIL on again.
    """
    if sysconfig.get_config_var("Py_GIL_DISABLED") == 1:
        raise GatewayError(
            f"{sys.executable} is a free-threaded build of Python, which protobuf does not "
            "support: use a build with the GIL"
        )
    header = Path(__file__).parent / "libgateway.h"
    if not header.exists():
        header = Path(__file__).parent.parent / "libgateway.h"  # a checkout
    spec = PathFinder.find_spec("tyk_cffi.libgateway", tyk_cffi.__path__)
    library = (spec.origin or "") if spec else ""
    return Info(
        version=tyk_cffi.__version__,
        abi=_abi(library),
        python=platform.python_version(),
        executable=sys.executable,
        libpython=_libpython(),
        library=library,
        header=str(header),
        protobuf=importlib.metadata.version("protobuf"),
    )


def _abi(library: str) -> int:
    """The ABI version that a library says it has; 0 if there is none, or it does not say."""
    try:
        return int(ctypes.CDLL(library).gateway_abi_version()) if library else 0
    except (OSError, AttributeError):
        return 0


def _libpython() -> str:
    """Path of the shared libpython of this interpreter, empty when it was built without."""
    name = sysconfig.get_config_var("INSTSONAME") or ""
    if ".so" not in name:
        return ""
    folders = [
        sysconfig.get_config_var("LIBDIR") or "",
        f"{sys.base_prefix}/lib",
        f"/usr/lib/{sysconfig.get_config_var('MULTIARCH') or ''}",
    ]
    return next((str(p) for p in (Path(f) / name for f in folders) if p.exists()), "")
