"""`hedgerow emulate`: a venue's wire protocol on loopback, with a simulated exchange behind it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hedgerow.cli.errors import Failed
from hedgerow.cli.show import json_option, note

if TYPE_CHECKING:
    from hedgerow.emulators.binance.faults import Fault
    from hedgerow.emulators.binance.orders import Product
    from hedgerow.emulators.binance.server import Emulator

BINANCE_HOSTS = ("*.binance.com", "binance.com")


@click.group("emulate")
def emulate_command() -> None:
    """Play a venue on loopback, behind its own wire protocol, for any client or bot."""


@emulate_command.command("binance")
@click.option(
    "--port", default=8900, show_default=True, type=click.IntRange(0, 65535), help="0 takes any that is free."
)
@click.option(
    "--tape",
    "tapes",
    multiple=True,
    metavar="PRODUCT[:SYMBOL]=FILE",
    help="Recorded frames for a market of spot or usdm, of BTCUSDT unless named; others are synthetic.",
)
@click.option(
    "--speed",
    default="1",
    show_default=True,
    metavar="N",
    help="Times faster than life the markets move; the venue's clock does not.",
)
@click.option("--still", is_flag=True, help="No market moves by itself; /emulator/show and /emulator/trade move them.")
@click.option(
    "--faults",
    default="none",
    show_default=True,
    metavar="WORDS",
    help="none, light, heavy, or kinds of faults with commas between; /emulator lists the kinds.",
)
@click.option("--seed", default=42, show_default=True, type=click.IntRange(min=0), help="Decides markets, ids, faults.")
@click.option("--accounts", metavar="FILE", help="Accounts with their keys, as JSON; else two, whose keys are printed.")
@click.option(
    "--gtx-expires", is_flag=True, help="A USD-M post-only order that would take is accepted and expires, not refused."
)
@click.option("--tls", metavar="DIR", help="Speak TLS; DIR gets a CA of your own, for clients with production URLs.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Stop after so long; else by Ctrl-C.")
@json_option
def binance_command(
    port: int,
    tapes: tuple[str, ...],
    speed: str,
    still: bool,
    faults: str,
    seed: int,
    accounts: str | None,
    gtx_expires: bool,
    tls: str | None,
    seconds: float | None,
    as_json: bool,
) -> int:
    """Play Binance: spot, cross margin, USD-M futures and portfolio margin on one port.

    Nothing here is Binance's, no request leaves this machine, and no key is a real one. Runs until Ctrl-C.
    """
    from hedgerow.emulators.binance.customers import AccountsError, load_customers
    from hedgerow.emulators.binance.server import Emulator
    from hedgerow.emulators.tls import server_context

    if still and tapes:
        raise Failed("HR-002", "--still and --tape exclude each other", "leave one of them out")
    try:
        emulator = Emulator(
            port=port,
            customers=load_customers(Path(accounts)) if accounts else None,
            tapes=_tapes(tapes),
            speed=_speed(speed),
            faults=_rates(faults),
            seed=seed,
            is_still=still,
            post_only_expires=gtx_expires,
            tls=server_context(Path(tls), BINANCE_HOSTS) if tls else None,
        )
    except AccountsError as error:
        raise Failed("HR-402", str(error), "mend the file, or leave --accounts out") from None
    return asyncio.run(_play(emulator, tls, seconds, as_json))


async def _play(emulator: Emulator, tls: str | None, seconds: float | None, as_json: bool) -> int:
    import signal

    import msgspec

    try:
        await emulator.start()
    except OSError as error:
        told = f"port {emulator.port} cannot be used: {error.strerror or error}"
        raise Failed("HR-504", told, "name another --port, or 0 for any that is free") from None
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    customers = list(emulator.venue.customers.values())
    if as_json:
        keys = [{"name": each.name, "key": each.key, "secret": each.secret} for each in customers]
        body = {"schema": "hedgerow.emulator/1", "url": emulator.url, "ws_url": emulator.ws_url, "accounts": keys}
        click.echo(msgspec.json.encode(body))
    else:
        click.echo(f"listening  {emulator.url}  and  {emulator.ws_url}")
        for each in customers:
            secret = f"secret {each.secret}" if each.secret else "its own private key"
            click.echo(f"account    {each.name}: key {each.key}  {secret}")
    if tls:
        note(f"tls        clients trust {Path(tls) / 'ca.pem'}")
    sys.stdout.flush()
    watch = asyncio.create_task(_tell_end(emulator, stopped))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopped.wait(), seconds)
    watch.cancel()
    await emulator.stop()
    if emulator.failure is not None:
        raise emulator.failure
    note("stopped")
    return 0


async def _tell_end(emulator: Emulator, stopped: asyncio.Event) -> None:
    await emulator.ended.wait()
    if emulator.failure is None:
        note("the tapes have ended: their markets stand still, orders are taken all the same")
    else:
        stopped.set()


def _tapes(texts: tuple[str, ...]) -> dict[tuple[Product, str], Path]:
    from hedgerow.emulators.binance.floor import LISTINGS
    from hedgerow.emulators.binance.orders import Product

    products = {product.value: product for product in Product}
    symbols = [listing.symbol for listing in LISTINGS]
    found: dict[tuple[Product, str], Path] = {}
    for text in texts:
        name, equals, file = text.partition("=")
        word, _, symbol = name.partition(":")
        symbol = symbol or symbols[0]
        if not equals or not file or word not in products:
            raise Failed("HR-002", f"--tape {text}: this is not PRODUCT=FILE", "e.g. --tape usdm=frames.gz")
        if symbol not in symbols:
            raise Failed("HR-002", f"--tape {text}: {symbol} is not played", f"there are {', '.join(symbols)}")
        if (products[word], symbol) in found:
            raise Failed("HR-002", f"--tape {text}: {name} has a tape already", "name each market once")
        found[products[word], symbol] = Path(file)
    return found


def _speed(text: str) -> Decimal:
    try:
        speed = Decimal(text)
    except ArithmeticError:
        raise Failed("HR-002", f"--speed {text}: this is not a number", "e.g. --speed 10") from None
    if not speed.is_finite() or speed <= 0:
        raise Failed("HR-002", f"--speed {text}: it must be above 0", "e.g. --speed 10")
    return speed


def _rates(text: str) -> dict[Fault, int]:
    from hedgerow.emulators.binance.faults import PROFILES, Fault, rates_of

    try:
        return rates_of(word for word in text.split(",") if word)
    except ValueError as error:
        words = [*PROFILES, *(kind.value for kind in Fault)]
        raise Failed("HR-002", f"--faults: there is no {error}", f"there are {', '.join(words)}") from None
