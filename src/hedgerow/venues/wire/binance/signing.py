"""Signatures of the three kinds of API keys. A secret goes in once and never comes out, not even in an error.

Source: Binance spot docs, "SIGNED Endpoint Examples" and "SIGNED request example" (checked 2026-07); their published
vectors are the tests.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

from hedgerow.venues.wire.request import Signer

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_PEM = "-----BEGIN"
# Binance takes 2048 and 4096 bits; below that a key can be broken.
RSA_BITS_MIN = 2048


class BadSecret(ValueError):
    """A secret that signs nothing. The text says why, and never holds the secret."""


class HmacSigner:
    """A key whose secret the venue made and knows as well."""

    def __init__(self, api_key: str, secret: str) -> None:
        self.api_key = api_key
        self._mac = hmac.new(secret.encode(), None, hashlib.sha256)

    def sign(self, payload: str) -> str:
        """Return HMAC-SHA-256 in hex."""
        # The key's own part of the work was done once; a copy goes on from there.
        mac = self._mac.copy()
        mac.update(payload.encode())
        return mac.hexdigest()


class Ed25519Signer:
    """A key pair; the venue knows the public half. The one that Binance recommends."""

    def __init__(self, api_key: str, key: Ed25519PrivateKey) -> None:
        self.api_key = api_key
        self._key = key

    def sign(self, payload: str) -> str:
        """Return the signature in base64."""
        return base64.b64encode(self._key.sign(payload.encode())).decode()


class RsaSigner:
    """A key pair of the older sort."""

    def __init__(self, api_key: str, key: RSAPrivateKey) -> None:
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        self.api_key = api_key
        self._key = key
        self._padding, self._hash = PKCS1v15(), SHA256()

    def sign(self, payload: str) -> str:
        """Return RSASSA-PKCS1-v1_5 with SHA-256 in base64."""
        return base64.b64encode(self._key.sign(payload.encode(), self._padding, self._hash)).decode()


def signer_of(api_key: str, secret: str) -> Signer:
    """Return what signs for an API key.

    Args:
        secret: the text that Binance showed once (HMAC), or a private key in PEM, PKCS#8, without a password.

    Raises:
        BadSecret: it is neither.
    """
    api_key, secret = api_key.strip(), secret.strip()
    if not api_key.isascii() or not api_key.isprintable() or not api_key or " " in api_key:
        raise BadSecret("the API key is empty or has characters that no key has: copy it again from Binance")
    if not secret:
        raise BadSecret("the secret is empty: set it to the HMAC secret, or to a private key in PEM")
    if not secret.startswith(_PEM):
        if not secret.isascii() or not secret.isprintable() or " " in secret:
            raise BadSecret("the secret is neither an HMAC secret nor a private key in PEM: copy it again")
        return HmacSigner(api_key, secret)
    return _of_pem(api_key, secret)


def _of_pem(api_key: str, secret: str) -> Signer:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(secret.encode(), password=None)
    except TypeError:
        # The library says so when it would need a password; its own text is not shown, in case that quotes the key.
        raise BadSecret("the private key has a password: store it without one, in a file only you can read") from None
    except (ValueError, UnsupportedAlgorithm):
        raise BadSecret("the private key cannot be read: it must be PKCS#8 in PEM, Ed25519 or RSA") from None
    if isinstance(key, Ed25519PrivateKey):
        return Ed25519Signer(api_key, key)
    if isinstance(key, RSAPrivateKey):
        if key.key_size < RSA_BITS_MIN:
            raise BadSecret(f"the RSA key has {key.key_size} bits: Binance takes {RSA_BITS_MIN} or more")
        return RsaSigner(api_key, key)
    raise BadSecret("the private key is neither Ed25519 nor RSA: Binance takes only those")
