"""Signatures of bundles: RSA PKCS#1 v1.5 over SHA-256, base64 (contract 1)."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Any

from tyk_cffi.errors import BundleError


def sign(content: bytes, key: Path) -> str:
    """Return the signature of ``content`` by a private RSA key in PEM.

    Raises:
        BundleError: the key is none, or the cryptography package is not there.
    """
    _, hashes, padding, serialization, rsa = _cryptography()
    try:
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise BundleError(f"{key} is no unencrypted private key in PEM: {error}") from error
    if not isinstance(private, rsa.RSAPrivateKey):
        raise BundleError(f"{key} is no RSA key")
    signature = private.sign(content, padding.PKCS1v15(), hashes.SHA256())
    return base64.b64encode(signature).decode()


def check(content: bytes, signature: str, key: Path) -> None:
    """Check a signature with a public RSA key in PEM.

    Raises:
        BundleError: it does not match, or the key is none.
    """
    invalid, hashes, padding, serialization, rsa = _cryptography()
    try:
        public = serialization.load_pem_public_key(key.read_bytes())
    except (OSError, ValueError) as error:
        raise BundleError(f"{key} is no public key in PEM: {error}") from error
    if not isinstance(public, rsa.RSAPublicKey):
        raise BundleError(f"{key} is no RSA key")
    try:
        public.verify(
            base64.b64decode(signature, validate=True), content, padding.PKCS1v15(), hashes.SHA256()
        )
    except (invalid, binascii.Error) as error:
        raise BundleError(f"the signature is not that of {key}") from error


def _cryptography() -> Any:
    """The parts of the library used here; it is needed for signatures only."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
    except ImportError as error:
        raise BundleError("signatures need `pip install 'tyk-cffi[bundle]'`") from error
    return InvalidSignature, hashes, padding, serialization, rsa
