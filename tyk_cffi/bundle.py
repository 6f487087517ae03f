"""Bundles: plugin code and its manifest in one zip (contract 1)."""

from __future__ import annotations

import hashlib
import json
import stat
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from tyk_cffi import signing
from tyk_cffi.errors import BundleError

MANIFEST = "manifest.json"
ENTRY = "middleware.py"

# A fixed time for all entries makes builds reproducible.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_EXCLUDED = {"__pycache__", ".git", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache"}

# The key with the manifest's text and a signature of it; other gateways ignore it.
SIGNED = "tyk_cffi_signed"

# The limits of the bundled gateway.
_MAX_BYTES = 512 << 20
_MAX_FILES = 20000

Manifest = dict[str, Any]


def build(
    manifest: Path, output: Path, key: Path | None = None, requirements: Path | None = None
) -> Manifest:
    """Build a bundle from the folder that contains ``manifest``.

    Args:
        manifest: the manifest to start from. ``custom_middleware`` is kept;
            ``file_list``, ``checksum`` and ``signature`` are computed from the files.
        output: the zip to write.
        key: private RSA key (PEM) to sign files and manifest with; ``None`` leaves
            both unsigned.
        requirements: a pip requirements file; its packages are added to the bundle.

    Returns:
        The manifest as written.

    Raises:
        BundleError: the folder, the manifest or the key is not valid; the text names
            the file.
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
                raise BundleError(f"{name} is in both {folder} and {requirements}")
    if not files:
        raise BundleError(f"{folder} has no files other than {manifest.name}")
    if len(files) > 1 and ENTRY not in files:
        raise BundleError(f"{folder} has no {ENTRY}, the module that a gateway imports")
    made["file_list"] = sorted(files)
    _check_names(made["file_list"], "file_list")
    content = _content(made, files)
    made["checksum"] = hashlib.md5(content, usedforsecurity=False).hexdigest()
    made["signature"] = signing.sign(content, key) if key else ""
    made.pop(SIGNED, None)
    if key:
        text = json.dumps(made)
        made[SIGNED] = {"manifest": text, "signature": signing.sign(text.encode(), key)}
    files[MANIFEST] = (json.dumps(made, indent=4) + "\n").encode()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        parents = {f"{parent}/" for name in files for parent in PurePosixPath(name).parents}
        for directory in sorted(parents - {"./"}):
            archive.writestr(zipfile.ZipInfo(directory, _EPOCH), b"")  # Tyk does not create folders
        for name in sorted(files):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, files[name])
    return made


def verify(
    bundle: Path, public_key: Path | None = None, require_signed_manifest: bool = False
) -> Manifest:
    """Check a bundle as the bundled gateway does, without running its code.

    Args:
        bundle: the zip.
        public_key: RSA key (PEM) that must match the signature of the files, and the
            one of the manifest if there is one. ``None`` checks no signatures.
        require_signed_manifest: refuse a bundle whose manifest is not signed.

    Returns:
        The manifest.

    Raises:
        BundleError: the bundle is not valid; the text gives the reason.
    """
    files = _unpack(bundle)
    if MANIFEST not in files:
        raise BundleError(f"{bundle} has no {MANIFEST}")
    text = files.pop(MANIFEST)
    manifest = _read_manifest(text.decode(errors="replace"), f"{bundle}: {MANIFEST}")
    _check_file_list(manifest.get("file_list"), str(bundle))
    content = _content(manifest, files)
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != manifest.get("checksum"):
        raise BundleError(f"{bundle}: the checksum does not match the files in file_list")
    unlisted = sorted(set(files) - set(manifest["file_list"]))
    if unlisted:
        raise BundleError(f"{bundle}: not in file_list, so not checked: {', '.join(unlisted)}")
    if public_key is not None:
        signing.check(content, str(manifest.get("signature", "")), public_key)
        _check_signed(manifest, public_key, require_signed_manifest)
    return manifest


def _unpack(bundle: Path) -> dict[str, bytes]:
    """Read the zip into memory, within the limits."""
    files: dict[str, bytes] = {}
    left = _MAX_BYTES
    try:
        with zipfile.ZipFile(bundle) as archive:
            entries = archive.infolist()
            if len(entries) > _MAX_FILES:
                raise BundleError(f"{bundle} has {len(entries)} files, more than {_MAX_FILES}")
            _check_names([entry.filename.removesuffix("/") for entry in entries], str(bundle))
            for entry in entries:
                if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise BundleError(f"{bundle}: {entry.filename!r} is neither file nor folder")
                if entry.is_dir():
                    continue
                with archive.open(entry) as file:
                    files[entry.filename] = file.read(left + 1)
                left -= len(files[entry.filename])
                if left < 0:
                    raise BundleError(f"{bundle} unpacks to more than {_MAX_BYTES} bytes")
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error) as error:
        raise BundleError(f"{bundle} is not a readable zip: {error}") from error
    return files


def _check_names(names: Iterable[str], where: str) -> None:
    """Refuse names outside the folder, and names that are equal on some file systems."""
    seen: dict[str, str] = {}
    complete: set[str] = set()
    for name in names:
        parts = name.split("/")
        if ".." in parts or name.startswith("/") or "\\" in name or name[1:2] == ":":
            raise BundleError(f"{where}: {name!r} would leave the bundle's folder")
        if {"", "."} & set(parts) or any(ord(c) < 32 or ord(c) == 127 for c in name):
            raise BundleError(f"{where}: {name!r} is not a valid file name in a bundle")
        if name in complete:
            raise BundleError(f"{where}: {name!r} appears twice")
        complete.add(name)
        for end in range(1, len(parts) + 1):
            path = "/".join(parts[:end])
            if seen.setdefault(path.lower(), path) != path:
                other = seen[path.lower()]
                raise BundleError(f"{where}: {other!r} and {path!r} differ only in case")


def _check_file_list(listed: object, where: str) -> None:
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise BundleError(f"{where}: file_list must be a list of names")
    if not listed:
        raise BundleError(f"{where}: file_list names no file")
    _check_names(listed, f"{where}: file_list")
    if any(name.lower() == MANIFEST for name in listed):
        raise BundleError(f"{where}: file_list: {MANIFEST} cannot be covered by its own checksum")
    if ENTRY not in listed and not (len(listed) == 1 and listed[0].endswith(".py")):
        raise BundleError(f"{where}: file_list has no {ENTRY}, the module that is imported")


def _check_signed(manifest: Manifest, public_key: Path, require: bool) -> None:
    """Check the manifest's own signature."""
    signed = manifest.get(SIGNED)
    if signed is None:
        if require:
            raise BundleError("the manifest is not signed")
        return
    if not isinstance(signed, dict) or not isinstance(signed.get("manifest"), str):
        raise BundleError(f"{SIGNED} has no manifest")
    signing.check(signed["manifest"].encode(), str(signed.get("signature", "")), public_key)
    unsigned = {name: value for name, value in manifest.items() if name != SIGNED}
    if _read_manifest(signed["manifest"], SIGNED) != unsigned:
        raise BundleError("the manifest is not the one that was signed")


def _read_manifest(text: str, where: str) -> Manifest:
    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a key appears twice")
        return found

    try:
        manifest = json.loads(text, object_pairs_hook=members)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{where} is not valid JSON: {error}") from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("custom_middleware"), dict):
        raise BundleError(f"{where} has no custom_middleware section")
    if manifest["custom_middleware"].get("driver") != "python":
        raise BundleError(f'{where}: custom_middleware.driver must be "python"')
    return manifest


def _content(manifest: Manifest, files: dict[str, bytes]) -> bytes:
    """The bytes that checksum and signature cover: those of the listed files, in order."""
    listed = manifest["file_list"]
    absent = [name for name in listed if name not in files]
    if absent:
        raise BundleError(f"file_list names files that are missing: {', '.join(absent)}")
    return b"".join(files[name] for name in listed)


def _files(folder: Path) -> Iterable[tuple[str, Path]]:
    for file in sorted(folder.rglob("*")):
        relative = file.relative_to(folder)
        hidden = any(p in _EXCLUDED or p.endswith(".dist-info") for p in relative.parts)
        if file.is_file() and not hidden and file.suffix not in (".pyc", ".zip"):
            yield relative.as_posix(), file


def _vendor(requirements: Path) -> dict[str, bytes]:
    """Install the packages into a temporary folder and return its files."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile"]
        command += ["--disable-pip-version-check", "--target", folder, "-r", str(requirements)]
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode:
            raise BundleError(f"pip could not install {requirements}: {run.stderr.strip()}")
        return {
            name: file.read_bytes() for name, file in _files(Path(folder)) if name[:4] != "bin/"
        }
