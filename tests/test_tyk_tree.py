"""``tyk-cffi tyk`` adds the driver to a Tyk tree without modifying the tree."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tyk_cffi import tyk_tree
from tyk_cffi.cli import main
from tyk_cffi.errors import GatewayError

SERVER = """package gateway

func (gw *Gateway) cacheClose() {}

func (gw *Gateway) getApiSpec(apiID string) *APISpec { return nil }

func (gw *Gateway) initSystem() {
\tgw.CoProcessInit()
}

func (gw *Gateway) gracefulShutdown(ctx context.Context) {
\tgw.cacheClose()
}
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The parts of a Tyk tree that the command reads."""
    tree = tmp_path / "tyk"
    for name, fact in tyk_tree.REQUIRED.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(f"package x // {fact}\n")
    (tree / tyk_tree.REPLACED).write_text("package gateway\n")
    (tree / tyk_tree.SERVER).write_text(SERVER)
    (tree / "go.mod").write_text(f"{tyk_tree.MODULE}\n\ngo 1.24.6\n")
    (tree / "go.sum").write_text("sums\n")
    return tree


def content(folder: Path) -> dict[str, bytes]:
    return {str(f): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


def test_an_overlay_and_a_modfile_are_written_elsewhere(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tyk's driver is replaced, our files are added, and go.mod has the driver's module."""
    before = content(tree)
    output = tmp_path / "out"
    assert main(["tyk", str(tree), "--output", str(output)]) == 0
    assert content(tree) == before
    replaced = json.loads((output / "overlay.json").read_text())["Replace"]
    names = {Path(name).name for name in replaced}
    assert names == {
        "coprocess_drivers.go",
        "coprocess_events.go",
        "coprocess_python.go",
        "coprocess_python_apis.go",
        "coprocess_python_events.go",
        "coprocess_python_hooks.go",
        "coprocess_python_host.go",
        "coprocess_python_object.go",
        "coprocess_python_off.go",
        "coprocess_python_options.go",
        "server.go",
    }
    for name, ours in replaced.items():
        assert Path(name).parent == tree / "gateway"
        assert "package gateway" in Path(ours).read_text()
    modfile = (output / "go.mod").read_text()
    assert modfile.startswith((tree / "go.mod").read_text())
    driver = Path(modfile.rsplit("=> ", 1)[1].strip())
    assert (driver / "go.mod").read_text().startswith(f"module {tyk_tree.DRIVER}\n")
    assert (driver.parent / "libgateway.h").exists()  # cgo reads it there
    assert (output / "go.sum").read_text() == "sums\n"
    assert (output / ".gitignore").read_text() == "*\n"  # git ignores the folder
    said = capsys.readouterr().out
    assert f'export GOFLAGS="$GOFLAGS -overlay={output}/overlay.json' in said
    assert "go build -tags 'coprocess python'" in said


def test_the_server_starts_and_stops_the_driver(tree: Path, tmp_path: Path) -> None:
    """The copy has two more lines and is not part of a package of the tree."""
    output = tmp_path / "out"
    build = tyk_tree.prepare(tree, output)
    replaced = json.loads(build.overlay.read_text())["Replace"]
    copy = Path(replaced[str(tree / tyk_tree.SERVER)])
    expected = SERVER.replace(
        "\tgw.CoProcessInit()\n", "\tgw.CoProcessInit()\n\tstartDrivers(gw)\n"
    ).replace("\tgw.cacheClose()\n", "\tstopDrivers(ctx)\n\tgw.cacheClose()\n")
    assert copy.read_text() == expected
    assert not list(output.rglob("*.go"))
    assert build.warnings == ()


def test_a_tyk_without_graceful_shutdown_is_built_with_a_warning(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The warning is on stderr, outside the output for eval."""
    (tree / tyk_tree.SERVER).write_text(SERVER.replace("\tgw.cacheClose()\n", ""))
    assert main(["tyk", str(tree), "--output", str(tmp_path / "out")]) == 0
    said = capsys.readouterr()
    assert "warning: this Tyk has no graceful shutdown" in said.err
    assert "warning" not in said.out
    assert "startDrivers(gw)" in (tmp_path / "out" / "server.go.overlay").read_text()


def test_go_takes_the_two_files(tree: Path, tmp_path: Path) -> None:
    """Go itself resolves the driver's module through them, without the network."""
    if shutil.which("go") is None:
        pytest.skip("go is not on PATH")
    build = tyk_tree.prepare(tree, tmp_path / "out")
    flags = f"{build.goflags} -mod=readonly"
    run = subprocess.run(
        ["go", "list", "-m", tyk_tree.DRIVER],
        cwd=tree,
        env={**os.environ, "GOFLAGS": flags, "GOPROXY": "off"},
        capture_output=True,
        text=True,
    )
    assert run.stdout.startswith(f"{tyk_tree.DRIVER} v0.0.0 => "), run.stderr


def test_the_driver_asks_for_no_newer_go_than_the_oldest_tyk() -> None:
    """5.8.0 has go 1.23.4; the driver has no dependencies."""
    text = (tyk_tree._go_sources() / "driver" / "go.mod").read_text()
    assert "\ngo 1.23\n" in text
    assert "require" not in text


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda tree: (tree / "go.mod").unlink(), "is not a Tyk source tree"),
        (
            lambda tree: (tree / "go.mod").write_text("module example.com/x\n"),
            "is not a Tyk source tree",
        ),
        (lambda tree: (tree / tyk_tree.REPLACED).unlink(), "5.8 or later"),
        (lambda tree: (tree / "coprocess/dispatcher.go").write_text("x"), "HandleMiddlewareCache"),
        (
            lambda tree: (tree / tyk_tree.SERVER).write_text("getApiSpec("),
            r"does not call gw\.CoProcessInit\(\) once",
        ),
        (
            lambda tree: (tree / "go.mod").write_text(f"{tyk_tree.MODULE}\n\ngo 1.20\n"),
            "requires Go 1.20; the driver needs 1.23",
        ),
    ],
)
def test_missing_parts_are_named(tree: Path, tmp_path: Path, change, reason: str) -> None:  # type: ignore[no-untyped-def]
    """Nothing is written."""
    change(tree)
    with pytest.raises(GatewayError, match=reason):
        tyk_tree.prepare(tree, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def tag(tree: Path, name: str) -> None:
    """Make the tree a checkout with a tag."""
    if shutil.which("git") is None:
        pytest.skip("git is not on PATH")
    identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    for arguments in (
        ["init", "-q"],
        ["add", "."],
        [*identity, "commit", "-qm", "x"],
        [*identity, "tag", "-a", name, "-m", "x"],
    ):
        subprocess.run(["git", *arguments], cwd=tree, check=True)


def test_an_older_tag_is_refused(tree: Path, tmp_path: Path) -> None:
    """In a checkout, git has its version."""
    tag(tree, "v5.7.2")
    with pytest.raises(GatewayError, match=r"is Tyk v5\.7\.2: 5\.8 or later"):
        tyk_tree.prepare(tree, tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "warned"),
    [("v5.8.0", False), (tyk_tree.TESTED[-1], False), ("v5.99.0-rc1", True), ("v6.0.0", True)],
)
def test_a_newer_tag_than_tried_is_a_warning(
    tree: Path, tmp_path: Path, name: str, warned: bool
) -> None:
    """The driver may work in it."""
    tag(tree, name)
    warnings = tyk_tree.prepare(tree, tmp_path / "out").warnings
    assert [w for w in warnings if f"Tyk {name} is newer than {tyk_tree.TESTED[-1]}" in w] == list(
        warnings
    )
    assert bool(warnings) == warned


def test_paths_that_go_cannot_take_are_refused(tree: Path, tmp_path: Path) -> None:
    """GOFLAGS are split at spaces."""
    with pytest.raises(GatewayError, match="space"):
        tyk_tree.prepare(tree, tmp_path / "two words")
