"""Inspect the installation, build and check bundles, and prepare builds of Tyk."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tyk_cffi import bundle, tyk_tree
from tyk_cffi.errors import GatewayError
from tyk_cffi.info import collect


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the ``tyk-cffi`` command.

    Args:
        arguments: the command line without the program's name; ``None`` reads ``sys.argv``.

    Returns:
        The exit status: 0, or 1 after an error, which is printed in one line. Invalid
        arguments exit with status 2.
    """
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except (GatewayError, OSError) as error:
        print(f"tyk-cffi: {error}", file=sys.stderr)
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tyk-cffi", description=__doc__)
    commands = parser.add_subparsers(required=True)

    info = commands.add_parser("info", help="show versions and paths of this installation")
    info.add_argument("--json", action="store_true", help="print JSON")
    info.set_defaults(run=_info)

    bundles = commands.add_parser("bundle", help="build and check bundles").add_subparsers(
        required=True
    )
    build = bundles.add_parser("build", help="build a bundle from a manifest's folder")
    build.add_argument("folder", nargs="?", type=Path, help="the folder of manifest.json")
    build.add_argument("--manifest", type=Path, help="default: manifest.json in the folder")
    build.add_argument(
        "--output", type=Path, default=Path("bundle.zip"), help="default: bundle.zip"
    )
    build.add_argument("--key", type=Path, help="private RSA key (PEM) to sign with")
    build.add_argument("--skip-signing", action="store_true", help="do not sign the bundle")
    build.add_argument("--requirements", type=Path, help="pip requirements file; adds its packages")
    build.set_defaults(run=_build)

    verify = bundles.add_parser("verify", help="check a bundle as the gateway does")
    verify.add_argument("bundle", type=Path, help="the zip")
    verify.add_argument("--public-key", type=Path, help="RSA key (PEM) to check signatures with")
    verify.add_argument(
        "--require-signed-manifest",
        action="store_true",
        help="refuse a bundle whose manifest is not signed",
    )
    verify.set_defaults(run=_verify)

    tyk = commands.add_parser("tyk", help="prepare a build of Tyk with this driver")
    tyk.add_argument("tree", type=Path, help="a Tyk source tree; it is not modified")
    tyk.add_argument(
        "--output",
        type=Path,
        default=Path("tyk-cffi-build"),
        help="folder for the generated files (default: tyk-cffi-build)",
    )
    tyk.set_defaults(run=_tyk)
    return parser


def _info(options: argparse.Namespace) -> int:
    facts = asdict(collect())
    if options.json:
        print(json.dumps(facts))
    else:
        for name, value in facts.items():
            print(f"{name:<10} {value or '(none)'}")
    return 0


def _build(options: argparse.Namespace) -> int:
    if bool(options.key) == options.skip_signing:
        raise GatewayError("give either --key FILE to sign the bundle, or --skip-signing")
    folder: Path = options.folder or Path(".")
    manifest = bundle.build(
        options.manifest or folder / bundle.MANIFEST,
        options.output,
        options.key,
        options.requirements,
    )
    print(f"{options.output}: {len(manifest['file_list'])} files, checksum {manifest['checksum']}")
    return 0


def _verify(options: argparse.Namespace) -> int:
    if options.require_signed_manifest and options.public_key is None:
        raise GatewayError("--require-signed-manifest needs --public-key")
    manifest = bundle.verify(options.bundle, options.public_key, options.require_signed_manifest)
    signed = "signature not checked" if options.public_key is None else "signature good"
    if options.public_key is not None and bundle.SIGNED not in manifest:
        signed += " (of the files; the manifest is not signed)"
    print(f"{options.bundle}: {len(manifest['file_list'])} files, checksum good, {signed}")
    return 0


def _tyk(options: argparse.Namespace) -> int:
    build = tyk_tree.prepare(options.tree, options.output)
    for warning in build.warnings:
        print(f"tyk-cffi: warning: {warning}", file=sys.stderr)
    tag = build.version or "(unknown version: not a git checkout)"
    # The output can be evaluated by a shell: eval "$(tyk-cffi tyk .)".
    print(f"# Tyk {tag} in {options.tree.resolve()}; then build it there:")
    print("# go build -tags 'coprocess python'")
    print(f'export GOFLAGS="$GOFLAGS {build.goflags}"')
    return 0
