"""Bundles: a folder of plugin code and its manifest, as one zip (contract 1)."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from tyk_cffi import signing
from tyk_cffi.errors import BundleError

MANIFEST = "manifest.json"
ENTRY = "middleware.py"

# Same bytes in, same zip out: no time of day goes into it.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_LEFT_OUT = {"__pycache__", ".git", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache"}

Manifest = dict[str, Any]


def build(
    manifest: Path, output: Path, key: Path | None = None, requirements: Path | None = None
) -> Manifest:
    """Make a bundle of the folder that ``manifest`` lies in.

    Args:
        manifest: its ``custom_middleware`` is taken over; ``file_list``,
            ``checksum`` and ``signature`` are written anew, over all files.
        output: the zip to write.
        key: private RSA key (PEM) to sign with; ``None`` leaves it unsigned.
        requirements: a pip requirements file whose packages go into the bundle.

    Returns:
        The manifest as written.

    Raises:
        BundleError: names the file or the key that is wrong.
    """
    folder = manifest.parent
    made = _read_manifest(manifest.read_text(encoding="utf-8"), str(manifest))
    skipped = {manifest.resolve(), output.resolve()}
    files = {
        name: file.read_bytes() for name, file in _files(folder) if file.resolve() not in skipped
    }
    if requirements is not None:
        for name, data in _vendor(requirements).items():
            if files.setdefault(name, data) != data:
                raise BundleError(f"{name} is both in {folder} and in {requirements}")
    if not files:
        raise BundleError(f"{folder} holds no file besides {manifest.name}")
    if len(files) > 1 and ENTRY not in files:
        raise BundleError(f"{folder} has no {ENTRY}, the module that a gateway imports")
    made["file_list"] = sorted(files)
    content = _content(made, files)
    made["checksum"] = hashlib.md5(content, usedforsecurity=False).hexdigest()
    made["signature"] = signing.sign(content, key) if key else ""
    files[MANIFEST] = (json.dumps(made, indent=4) + "\n").encode()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        parents = {f"{parent}/" for name in files for parent in PurePosixPath(name).parents}
        for directory in sorted(parents - {"./"}):
            archive.writestr(zipfile.ZipInfo(directory, _EPOCH), b"")  # Tyk makes no folder unasked
        for name in sorted(files):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, files[name])
    return made


def verify(bundle: Path, public_key: Path | None = None) -> Manifest:
    """Check a bundle as a gateway does.

    Args:
        bundle: the zip.
        public_key: RSA key (PEM); when given, the signature must be its.

    Returns:
        The manifest.

    Raises:
        BundleError: says what is wrong.
    """
    try:
        with zipfile.ZipFile(bundle) as archive:
            files = {name: archive.read(name) for name in archive.namelist() if name[-1:] != "/"}
    except (OSError, zipfile.BadZipFile) as error:
        raise BundleError(f"{bundle} is no readable zip: {error}") from error
    for name in files:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name:
            raise BundleError(f"{bundle}: {name!r} would leave the bundle's folder")
    if MANIFEST not in files:
        raise BundleError(f"{bundle} has no {MANIFEST}")
    manifest = _read_manifest(files.pop(MANIFEST).decode(), f"{bundle}: {MANIFEST}")
    content = _content(manifest, files)
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != manifest.get("checksum"):
        raise BundleError(f"{bundle}: the checksum does not match the files in file_list")
    unlisted = sorted(set(files) - set(manifest["file_list"]))
    if unlisted:
        raise BundleError(f"{bundle}: not in file_list, so not checked: {', '.join(unlisted)}")
    if public_key is not None:
        signing.check(content, manifest.get("signature", ""), public_key)
    return manifest


def _read_manifest(text: str, where: str) -> Manifest:
    try:
        manifest = json.loads(text)
    except ValueError as error:
        raise BundleError(f"{where} is no JSON: {error}") from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("custom_middleware"), dict):
        raise BundleError(f"{where} has no custom_middleware section")
    if manifest["custom_middleware"].get("driver") != "python":
        raise BundleError(f'{where}: custom_middleware.driver must be "python"')
    return manifest


def _content(manifest: Manifest, files: dict[str, bytes]) -> bytes:
    """The bytes that checksum and signature are of: the listed files', in order."""
    listed = manifest.get("file_list") or []
    absent = [name for name in listed if name not in files]
    if absent:
        raise BundleError(f"file_list names what is not there: {', '.join(absent)}")
    return b"".join(files[name] for name in listed)


def _files(folder: Path) -> Iterable[tuple[str, Path]]:
    for file in sorted(folder.rglob("*")):
        relative = file.relative_to(folder)
        hidden = any(p in _LEFT_OUT or p.endswith(".dist-info") for p in relative.parts)
        if file.is_file() and not hidden and file.suffix not in (".pyc", ".zip"):
            yield relative.as_posix(), file


def _vendor(requirements: Path) -> dict[str, bytes]:
    """Install the packages into a folder of their own and return its files."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile"]
        command += ["--disable-pip-version-check", "--target", folder, "-r", str(requirements)]
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode:
            raise BundleError(f"pip could not install {requirements}: {run.stderr.strip()}")
        return {
            name: file.read_bytes() for name, file in _files(Path(folder)) if name[:4] != "bin/"
        }
