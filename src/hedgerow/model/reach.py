"""How far what is done reaches: from a simulated world to real money."""

from __future__ import annotations

from hedgerow.model.words import Word


class Reach(Word):
    """What orders can move. A journal has one reach for ever, and so has every account of a config."""

    SIM = "sim"
    "A simulated world: nothing of it is real."
    PAPER = "paper"
    "Prices of a real market, recorded or as they come; orders on the simulated exchange."
    EMULATOR = "emulator"
    "A simulated exchange behind the venue's protocol, on this machine."
    TESTNET = "testnet"
    "The venue's own test exchange."
    LIVE = "live"
    "Real money."
