"""Prepares a build of Tyk with this driver. No file in the Tyk tree is modified.

During the build, Go's ``-overlay`` replaces Tyk's Python driver and coprocess event handler
with this project's, and ``server.go`` with a copy that has two more lines, which start and
stop the driver. An alternate ``-modfile`` adds the driver's module.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tyk_cffi.errors import GatewayError

DRIVER = "github.com/tyk-cffi/tyk-cffi/driver"
MODULE = "module github.com/TykTechnologies/tyk"
REPLACED = Path("gateway/coprocess_python.go")
SERVER = Path("gateway/server.go")
OLDEST = (5, 8)
# The releases that the conformance suite was run on with this driver.
TESTED = ("v5.8.0", "v5.11.0", "v5.12.1", "v5.14.0")
# The lines of server.go after and before which the driver's are inserted. START must occur
# once; STOP may be missing, since 5.8 has no graceful shutdown.
START = "\tgw.CoProcessInit()\n"
STOP = "\tgw.cacheClose()\n"
# Texts that the tree must contain: the parts of Tyk 5.8 and later that the adapter uses.
REQUIRED = {
    "coprocess/dispatcher.go": "HandleMiddlewareCache(",
    "gateway/coprocess_events.go": "CoProcessEventHandler",
    "gateway/coprocess_api.go": "GatewayFireSystemEvent",
    "gateway/coprocess.go": "loadedDrivers",
    "gateway/server.go": "getApiSpec(",
    "storage/redis_cluster.go": "GetRawKey(",
}


@dataclass(frozen=True)
class Build:
    """The files to pass to ``go build``.

    Attributes:
        overlay: path of the overlay file.
        modfile: path of the alternate ``go.mod``.
        version: the tree's version, empty if unknown.
        warnings: warnings for the user.
    """

    overlay: Path
    modfile: Path
    version: str
    warnings: tuple[str, ...] = ()

    @property
    def goflags(self) -> str:
        """The flags to add to ``GOFLAGS``."""
        return f"-overlay={self.overlay} -modfile={self.modfile}"


def prepare(tree: Path, output: Path) -> Build:
    """Write ``overlay.json``, the files that it refers to, ``go.mod`` and ``go.sum``.

    Args:
        tree: a source tree of Tyk 5.8 or later; it is not modified.
        output: the folder for the files; it is created if necessary.

    Returns:
        The files, and warnings.

    Raises:
        GatewayError: the tree is not a supported Tyk tree, or this installation is
            incomplete.
    """
    tree, output = tree.resolve(), output.resolve()
    ours = _go_sources()
    tag = _version(tree)
    _check(tree, tag)
    server, warnings = _server(tree)
    for path in (output, ours):
        if " " in str(path):
            raise GatewayError(f"{path}: the path contains a space, which GOFLAGS does not support")
    output.mkdir(parents=True, exist_ok=True)
    replace = {
        str(tree / REPLACED.parent / file.name): str(file)
        for file in sorted((ours / "integrations" / "tyk").glob("coprocess_*.go"))
    }
    if str(tree / REPLACED) not in replace:
        raise GatewayError(
            f"{ours} has no {REPLACED.name}: the installation is incomplete, reinstall it"
        )
    (output / ".gitignore").write_text("*\n")  # the folder may lie in the tree
    # Not named *.go, or `go build ./...` in the tree would take it for a package.
    (output / "server.go.overlay").write_text(server, encoding="utf-8")
    replace[str(tree / SERVER)] = str(output / "server.go.overlay")
    warnings = (*_untested_warning(tag), *warnings)
    build = Build(output / "overlay.json", output / "go.mod", tag, warnings)
    build.overlay.write_text(json.dumps({"Replace": replace}, indent=1) + "\n")
    build.modfile.write_text(
        (tree / "go.mod").read_text()
        + f"\nrequire {DRIVER} v0.0.0\n\nreplace {DRIVER} => {ours / 'driver'}\n"
    )
    shutil.copy(tree / "go.sum", output / "go.sum")
    return build


def _check(tree: Path, tag: str) -> None:
    go_mod = tree / "go.mod"
    if not go_mod.exists() or not go_mod.read_text().startswith(MODULE):
        raise GatewayError(
            f"{tree} is not a Tyk source tree: its go.mod is missing or of another module"
        )
    number = re.match(r"v(\d+)\.(\d+)", tag)
    if number and tuple(map(int, number.groups())) < OLDEST:
        raise GatewayError(f"{tree} is Tyk {tag}: 5.8 or later is supported")
    if not (tree / REPLACED).exists():
        raise GatewayError(f"{tree} has no {REPLACED}: Tyk 5.8 or later is supported")
    for name, text in REQUIRED.items():
        file = tree / name
        if not file.exists() or text not in file.read_text(encoding="utf-8"):
            raise GatewayError(
                f"{file} has no {text.rstrip('(')}: "
                f"this Tyk is older than 5.8 or newer than supported"
            )
    wanted = re.search(r"^go (\d+)\.(\d+)", (_go_sources() / "driver" / "go.mod").read_text(), re.M)
    has = re.search(r"^go (\d+)\.(\d+)", go_mod.read_text(), re.M)
    if wanted and has and tuple(map(int, has.groups())) < tuple(map(int, wanted.groups())):
        raise GatewayError(f"{go_mod} requires Go {has[0][3:]}; the driver needs {wanted[0][3:]}")


def _server(tree: Path) -> tuple[str, tuple[str, ...]]:
    """Return Tyk's server.go with calls that start and stop the driver, and warnings."""
    file = tree / SERVER
    text = file.read_text(encoding="utf-8")
    if text.count(START) != 1:
        raise GatewayError(
            f"{file} does not call {START.strip()} once: this Tyk is newer than supported"
        )
    text = text.replace(START, f"{START}\tstartDrivers(gw)\n")
    if text.count(STOP) != 1:
        return text, ("this Tyk has no graceful shutdown: it stops without unloading plugins",)
    return text.replace(STOP, f"\tstopDrivers(ctx)\n{STOP}"), ()


def _untested_warning(tag: str) -> tuple[str, ...]:
    """Return a warning if the tree is newer than the tested releases."""
    numbers = re.match(r"v(\d+)\.(\d+)\.(\d+)", tag)
    newest = max(tuple(map(int, version[1:].split("."))) for version in TESTED)
    if not numbers or tuple(map(int, numbers.groups())) <= newest:
        return ()
    return (
        f"Tyk {tag} is newer than {TESTED[-1]}, the last release tested with this driver: "
        "run the conformance suite on the binary",
    )


def _version(tree: Path) -> str:
    """Return the tree's version from git, for instance ``v5.11.0``; empty without a checkout."""
    command = ["git", "-C", str(tree), "describe", "--tags", "--always"]
    try:
        run = subprocess.run(command, capture_output=True, text=True)
    except OSError:  # no git
        return ""
    return run.stdout.strip()


def _go_sources() -> Path:
    """Return the folder of the Go files: inside the package, or the checkout around it."""
    inside = Path(__file__).parent / "_go"
    return inside if inside.exists() else Path(__file__).parent.parent
