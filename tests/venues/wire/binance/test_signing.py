"""Signatures equal the vectors that Binance publishes, and a secret never shows."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from hedgerow.venues.wire.binance.signing import BadSecret, Ed25519Signer, HmacSigner, RsaSigner, signer_of
from tests.venues.wire.binance.wires import API_KEY, SECRET

# Source: Binance spot docs, "SIGNED Endpoint Examples" (REST) and "SIGNED request example" (socket API); USD-M docs,
# "SIGNED Endpoint Examples for POST /fapi/v1/order". The keys are published there as examples.
HMAC_VECTORS = [
    (
        SECRET,
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000"
        "&timestamp=1499827319559",
        "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
    ),
    (
        SECRET,
        "symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&side=BUY&type=LIMIT&timeInForce=GTC"
        "&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
        "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
    ),
    (
        SECRET,
        f"apiKey={API_KEY}&price=52000.00&quantity=0.01000000&recvWindow=100&side=SELL&symbol=BTCUSDT"
        "&timeInForce=GTC&timestamp=1645423376532&type=LIMIT",
        "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24",
    ),
    (
        SECRET,
        f"apiKey={API_KEY}&price=0.10000000&quantity=1.00000000&recvWindow=5000&side=BUY&symbol=１２３４５６"
        "&timeInForce=GTC&timestamp=1645423376532&type=LIMIT",
        "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd",
    ),
    (
        "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9",
        "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000"
        "&timestamp=1591702613943",
        "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9",
    ),
]
# Source: Binance FIX docs, "How to sign Logon<A> request": the one key pair whose private half Binance publishes.
ED25519_PEM = """-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u
-----END PRIVATE KEY-----"""
ED25519_PAYLOAD = "\x01".join(["A", "EXAMPLE", "SPOT", "1", "20240627-11:17:25.223"])
ED25519_SIGNATURE = "4MHXelVVcpkdwuLbl6n73HQUXUf1dse2PCgT1DYqW9w8AVZ1RACFGM+5UdlGPrQHrgtS3CvsRURC1oj73j8gCA=="


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, 2_048)


def pem_of(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
    encryption: KeySerializationEncryption | None = None,
) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()).decode()


@pytest.mark.parametrize(("secret", "payload", "signature"), HMAC_VECTORS)
def test_hmac_equals_the_published_vectors(secret: str, payload: str, signature: str) -> None:
    """A signature that is off by a byte is refused, every time."""
    signer = signer_of(API_KEY, secret)

    assert isinstance(signer, HmacSigner)
    assert signer.sign(payload) == signature
    assert signer.sign(payload) == signature, "signing leaves the signer as it was"


def test_ed25519_equals_the_published_vector() -> None:
    """The same for the kind of key that Binance recommends."""
    signer = signer_of(API_KEY, ED25519_PEM)

    assert isinstance(signer, Ed25519Signer)
    assert signer.sign(ED25519_PAYLOAD) == ED25519_SIGNATURE


def test_rsa_is_pkcs1_v15_over_sha256(rsa_key: rsa.RSAPrivateKey) -> None:
    """Binance publishes no private RSA key, so the public half judges the scheme that it names."""
    signer = signer_of(API_KEY, pem_of(rsa_key))

    assert isinstance(signer, RsaSigner)
    signature = base64.b64decode(signer.sign(HMAC_VECTORS[0][1]))
    rsa_key.public_key().verify(signature, HMAC_VECTORS[0][1].encode(), PKCS1v15(), SHA256())


def test_a_key_with_a_password_is_named(rsa_key: rsa.RSAPrivateKey) -> None:
    """An operator who stored it so must be told what to do."""
    with pytest.raises(BadSecret, match="password"):
        signer_of(API_KEY, pem_of(rsa_key, BestAvailableEncryption(b"x")))


@pytest.mark.parametrize(
    ("api_key", "secret", "words"),
    [
        ("", SECRET, "API key"),
        ("a key", SECRET, "API key"),
        ("schlüssel", SECRET, "API key"),
        (API_KEY, "", "empty"),
        (API_KEY, "two words", "neither"),
        (API_KEY, "-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----", "PKCS#8"),
        (API_KEY, pem_of(ec.generate_private_key(ec.SECP256R1())), "neither Ed25519 nor RSA"),
    ],
)
def test_a_bad_secret_is_told_in_one_line_without_showing_it(api_key: str, secret: str, words: str) -> None:
    """A secret in a log is a secret no more."""
    with pytest.raises(BadSecret, match=words) as caught:
        signer_of(api_key, secret)

    text = str(caught.value)
    assert "\n" not in text
    assert not secret or secret not in text
    assert caught.value.__cause__ is None


def test_no_signer_shows_its_secret() -> None:
    """Whatever is logged of a signer, the secret is not in it."""
    signer = signer_of(API_KEY, SECRET)

    assert SECRET not in repr(signer) + str(vars(signer))
