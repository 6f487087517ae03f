"""Signatures of bundles: RSA PKCS#1 v1.5 over SHA-256, base64 (contract 1)."""

from __future__ import annotations

import base64
import binascii
import sys
from pathlib import Path
from typing import Any

from tyk_cffi.errors import BundleError


def sign(content: bytes, key: Path) -> str:
    """Sign ``content``.

    Args:
        content: the bytes to sign.
        key: path of a private RSA key (PEM, not encrypted).

    Returns:
        The signature in base64.

    Raises:
        BundleError: the key is not such a key, or the cryptography package is missing.
    """
    _, hashes, padding, serialization, rsa = _cryptography()
    try:
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise BundleError(f"{key} is not an unencrypted private key (PEM): {error}") from error
    if not isinstance(private, rsa.RSAPrivateKey):
        raise BundleError(f"{key} is not an RSA key")
    signature = private.sign(content, padding.PKCS1v15(), hashes.SHA256())
    return base64.b64encode(signature).decode()


def check(content: bytes, signature: str, key: Path) -> None:
    """Check a signature.

    Args:
        content: the signed bytes.
        signature: the signature in base64.
        key: path of a public RSA key (PEM).

    Raises:
        BundleError: the signature does not match, the key is not such a key, or the
            cryptography package is missing.
    """
    invalid, hashes, padding, serialization, rsa = _cryptography()
    try:
        public = serialization.load_pem_public_key(key.read_bytes())
    except (OSError, ValueError) as error:
        raise BundleError(f"{key} is not a public key (PEM): {error}") from error
    if not isinstance(public, rsa.RSAPublicKey):
        raise BundleError(f"{key} is not an RSA key")
    try:
        public.verify(
            base64.b64decode(signature, validate=True), content, padding.PKCS1v15(), hashes.SHA256()
        )
    except (invalid, binascii.Error) as error:
        raise BundleError(f"the signature does not match {key}") from error


def _cryptography() -> Any:
    """Import the optional cryptography package, which only signatures need."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
    except ImportError as error:
        raise BundleError(
            f"signatures need the cryptography package: "
            f"`{sys.executable} -m pip install 'cryptography>=42'`"
        ) from error
    return InvalidSignature, hashes, padding, serialization, rsa
