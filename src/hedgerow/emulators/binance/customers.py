"""The customers of the emulated venue: who they are, what their keys may do, and whether a signature is theirs."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from decimal import Decimal
from enum import Enum
from pathlib import Path

import msgspec

ACCOUNTS_EXAMPLE = '[{"name": "main", "key": "KEY", "secret": "SECRET"}]'
# Printed at start: an emulator on loopback has no secrets.
DEFAULT_KEY = "emulatorkey" + "0" * 53
DEFAULT_SECRET = "emulatorsecret" + "0" * 50


class Kind(Enum):
    """The account kinds; each is a purse of its own."""

    SPOT = "spot"
    MARGIN = "margin"
    "Cross margin."
    USDM = "usdm"
    "USD-M futures."
    PORTFOLIO = "portfolio"
    "Portfolio margin: USD-M and cross-margin orders under one roof."


class AccountsError(Exception):
    """An accounts file that cannot be used. The text names file and place."""


def _balances() -> dict[str, dict[str, Decimal]]:
    return {
        "spot": {"USDT": Decimal(100_000), "BTC": Decimal(1), "ETH": Decimal(10)},
        "margin": {"USDT": Decimal(100_000)},
        "usdm": {"USDT": Decimal(100_000)},
        "portfolio": {"USDT": Decimal(100_000)},
    }


class Customer(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One customer with one API key."""

    name: str
    key: str
    "The API key, as sent in `X-MBX-APIKEY`."
    secret: str = ""
    "HMAC secret; empty when `public_key` is given."
    public_key: str = ""
    "PEM text or the path of a PEM file, Ed25519 or RSA."
    kinds: tuple[Kind, ...] = tuple(Kind)
    balances: dict[str, dict[str, Decimal]] = msgspec.field(default_factory=_balances)
    "Account kind -> currency -> what it owns at first."
    maker_bps: Decimal = Decimal(2)
    taker_bps: Decimal = Decimal(4)
    leverage: Decimal = Decimal(20)
    "Of every perpetual at first."
    hedge_mode: bool = False
    "USD-M positions by side, instead of one per symbol."
    can_trade: bool = True
    can_withdraw: bool = False
    "Told by the endpoints of permissions, so that a client can refuse such a key."
    is_revoked: bool = False
    trading_ends_ms: int = 0
    "When the key loses its right to trade, as the endpoint of permissions tells it; zero: never."


def default_customers() -> list[Customer]:
    """Return the customers of an emulator that was told none: two, each with every account kind."""
    return [
        Customer(name="main", key=DEFAULT_KEY, secret=DEFAULT_SECRET),
        Customer(name="second", key="second" + DEFAULT_KEY[6:], secret="second" + DEFAULT_SECRET[6:]),
    ]


def load_customers(path: Path) -> list[Customer]:
    """Return the customers of a JSON file. Raises AccountsError."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=list[Customer])
    except OSError as error:
        raise AccountsError(f"{path}: cannot be read: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise AccountsError(f"{path}: {error}; a list of accounts is wanted, e.g. {ACCOUNTS_EXAMPLE}") from None
    if not found:
        raise AccountsError(f"{path}: names no account; e.g. {ACCOUNTS_EXAMPLE}")
    for name, values in (("name", [each.name for each in found]), ("key", [each.key for each in found])):
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise AccountsError(f"{path}: {name} {twice} is there twice; each account needs its own")
    kinds = {kind.value for kind in Kind}
    for each in found:
        if bool(each.secret) == bool(each.public_key):
            raise AccountsError(f"{path}: account {each.name} needs either `secret` or `public_key`")
        wrong = next((name for name in each.balances if name not in kinds), None)
        if wrong is not None:
            raise AccountsError(f"{path}: account {each.name}: no account kind is named {wrong}; there are {kinds}")
        if each.public_key:
            try:
                Seal(each)
            except ValueError as error:
                raise AccountsError(f"{path}: account {each.name}: `public_key`: {error}") from None
    return found


class Seal:
    """Tells whether a signature is a customer's."""

    def __init__(self, customer: Customer) -> None:
        """Raises ValueError when the public key cannot be read or is of another kind."""
        self._secret = customer.secret.encode()
        self._public: object | None = None
        if customer.public_key:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
            from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
            from cryptography.hazmat.primitives.serialization import load_pem_public_key

            text = customer.public_key
            try:
                pem = text.encode() if text.startswith("-----") else Path(text).read_bytes()
            except OSError as error:
                raise ValueError(f"{text} cannot be read: {error.strerror}") from None
            self._public = load_pem_public_key(pem)
            if not isinstance(self._public, Ed25519PublicKey | RSAPublicKey):
                raise ValueError("is neither Ed25519 nor RSA")

    @property
    def is_ed25519(self) -> bool:
        """Whether a websocket session may be logged on with this key: Binance takes Ed25519 only."""
        return self._public is not None and type(self._public).__name__.endswith("Ed25519PublicKey")

    def fits(self, payload: bytes, signature: str) -> bool:
        """Return whether `signature` of `payload` was made with the customer's key."""
        if self._public is None:
            made = hmac.new(self._secret, payload, hashlib.sha256).hexdigest()
            return hmac.compare_digest(made, signature.lower())
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            raw = base64.b64decode(signature, validate=True)
            if isinstance(self._public, Ed25519PublicKey):
                self._public.verify(raw, payload)
            else:
                assert isinstance(self._public, RSAPublicKey), self._public
                self._public.verify(raw, payload, PKCS1v15(), SHA256())
        except (InvalidSignature, binascii.Error):
            return False
        return True
