"""Bundles are built, signed and verified."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tyk_cffi import bundle
from tyk_cffi.cli import main
from tyk_cffi.errors import BundleError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A plugin with a package and a data file."""
    plugin = tmp_path / "plugin"
    (plugin / "package").mkdir(parents=True)
    (plugin / "middleware.py").write_text("import package\n")
    (plugin / "package" / "__init__.py").write_text("")
    (plugin / "data.json").write_text("{}")
    (plugin / "__pycache__").mkdir()
    (plugin / "__pycache__" / "x.pyc").write_text("")
    manifest = {"custom_middleware": {"driver": "python", "pre": [{"name": "P"}]}}
    (plugin / "manifest.json").write_text(json.dumps(manifest))
    return plugin


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    """A private and a public key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return private, public


def test_all_files_are_listed_and_the_zip_is_the_same_each_time(
    folder: Path, tmp_path: Path
) -> None:
    """Caches are excluded."""
    one, two = tmp_path / "one.zip", tmp_path / "two.zip"
    made = bundle.build(folder / "manifest.json", one)
    bundle.build(folder / "manifest.json", two)
    assert made["file_list"] == ["data.json", "middleware.py", "package/__init__.py"]
    assert bundle.verify(one) == made
    assert one.read_bytes() == two.read_bytes()


def test_a_signed_bundle_is_that_keys_and_no_others(
    folder: Path, tmp_path: Path, keys: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Uses the command, as people do."""
    private, public = keys
    output = str(tmp_path / "b.zip")
    assert main(["bundle", "build", str(folder), "--output", output, "--key", str(private)]) == 0
    assert main(["bundle", "verify", output, "--public-key", str(public)]) == 0
    assert "signature good" in capsys.readouterr().out
    unsigned = str(tmp_path / "u.zip")
    assert main(["bundle", "build", str(folder), "--output", unsigned, "--skip-signing"]) == 0
    assert main(["bundle", "verify", unsigned, "--public-key", str(public)]) == 1
    assert "signature" in capsys.readouterr().err


def repack(path: Path, **files: bytes | None) -> None:
    """Change files of a zip."""
    with zipfile.ZipFile(path) as archive:
        content: dict[str, bytes | None] = {n: archive.read(n) for n in archive.namelist()}
    content.update(files)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            if data is not None:
                archive.writestr(name, data)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"middleware.py": b"evil"}, "checksum"),
        ({"middleware.py": None}, "missing: middleware.py"),
        ({"extra.py": b""}, "not in file_list, so not checked: extra.py"),
        ({"../out.py": b""}, "would leave the bundle's folder"),
        ({"/etc/x": b""}, "would leave the bundle's folder"),
        ({"manifest.json": None}, "no manifest.json"),
        ({"manifest.json": b"{"}, "is not valid JSON"),
        ({"manifest.json": b"{}"}, "no custom_middleware"),
        ({"a\\b.py": b""}, "would leave the bundle's folder"),
        ({"a//b.py": b""}, "not a valid file name"),
        ({"Middleware.py": b""}, "differ only in case"),
        ({"Package/x.py": b""}, "differ only in case"),
        ({"manifest.json": b'{"custom_middleware": null}'}, "no custom_middleware"),
        ({"manifest.json": b'{"checksum": "a", "checksum": "b"}'}, "twice"),
        ({"manifest.json": b'{"custom_middleware": {"driver": "lua"}}'}, "driver"),
    ],
)
def test_an_invalid_bundle_is_refused(
    folder: Path, tmp_path: Path, changes: dict[str, bytes | None], reason: str
) -> None:
    """The error gives the reason."""
    path = tmp_path / "b.zip"
    bundle.build(folder / "manifest.json", path)
    repack(path, **changes)
    with pytest.raises(BundleError, match=re.escape(reason)):
        bundle.verify(path)


@pytest.mark.parametrize(
    ("listed", "reason"),
    [
        (None, "must be a list of names"),
        ([], "names no file"),
        ([1], "must be a list of names"),
        (["middleware.py", "middleware.py"], "twice"),
        (["middleware.py", "/etc/passwd"], "would leave"),
        (["middleware.py", "a/../b.py"], "would leave"),
        (["middleware.py", "Middleware.py"], "differ only in case"),
        (["middleware.py", "manifest.json"], "its own checksum"),
        (["middleware.py", "package"], "missing: package"),
        (["data.json", "package/__init__.py"], "no middleware.py"),
    ],
)
def test_an_incomplete_file_list_is_refused(
    folder: Path, tmp_path: Path, listed: object, reason: str
) -> None:
    """Even if its checksum matches."""
    path = tmp_path / "b.zip"
    made = bundle.build(folder / "manifest.json", path)
    repack(path, **{"manifest.json": json.dumps({**made, "file_list": listed}).encode()})
    with pytest.raises(BundleError, match=re.escape(reason)):
        bundle.verify(path)


def test_a_link_in_a_bundle_is_refused(folder: Path, tmp_path: Path) -> None:
    """It could refer to any file."""
    path = tmp_path / "b.zip"
    bundle.build(folder / "manifest.json", path)
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(BundleError, match="neither file nor folder"):
        bundle.verify(path)


def test_the_manifest_is_signed_with_the_files(
    folder: Path, tmp_path: Path, keys: tuple[Path, Path]
) -> None:
    """A changed manifest is refused; an unsigned one only if a signature is required."""
    private, public = keys
    path = tmp_path / "b.zip"
    made = bundle.build(folder / "manifest.json", path, private)
    assert bundle.verify(path, public, True) == made
    without = {name: value for name, value in made.items() if name != bundle.SIGNED}
    changed = {**made, "custom_middleware": {"driver": "python", "pre": []}}
    other = json.dumps({**without, "custom_middleware": {"driver": "python"}})
    forged = {**made, bundle.SIGNED: {**made[bundle.SIGNED], "manifest": other}}
    for manifest, reason in (
        (changed, "not the one that was signed"),
        (forged, "signature"),
        ({**made, bundle.SIGNED: {}}, "has no manifest"),
        ({**made, "more": 1}, "not the one that was signed"),
    ):
        repack(path, **{"manifest.json": json.dumps(manifest).encode()})
        with pytest.raises(BundleError, match=reason):
            bundle.verify(path, public)
    repack(path, **{"manifest.json": json.dumps(without).encode()})
    assert bundle.verify(path, public) == without
    with pytest.raises(BundleError, match="the manifest is not signed"):
        bundle.verify(path, public, True)
    assert main(["bundle", "verify", str(path), "--require-signed-manifest"]) == 1


def test_packages_of_requirements_go_into_the_bundle(folder: Path, tmp_path: Path) -> None:
    """They are listed, so checksum and signature cover them."""
    package = tmp_path / "package-src"
    package.mkdir()
    (package / "vendored_one.py").write_text("VALUE = 1\n")
    (package / "pyproject.toml").write_text(
        '[project]\nname = "vendored-one"\nversion = "1"\n'
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    )
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(str(package) + "\n")
    made = bundle.build(folder / "manifest.json", tmp_path / "b.zip", None, requirements)
    assert "vendored_one.py" in made["file_list"]


def test_a_folder_without_an_entry_module_is_refused(folder: Path, tmp_path: Path) -> None:
    """It must have middleware.py unless it has only one file."""
    (folder / "middleware.py").unlink()
    with pytest.raises(BundleError, match=r"no middleware\.py"):
        bundle.build(folder / "manifest.json", tmp_path / "b.zip")
