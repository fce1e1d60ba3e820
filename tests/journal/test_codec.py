"""The codec: bytes that never change, older versions that are read, and a chain over all of it."""

from __future__ import annotations

from decimal import Decimal
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.commands import CancelOrder, Command, Turn
from hedgerow.core.events import Event, FillReceived, PositionRead, TimeReached
from hedgerow.journal import codec
from hedgerow.journal.codec import GENESIS, Chain, Record, decode, encode, link
from hedgerow.journal.errors import JournalCorrupt, JournalTooNew
from hedgerow.journal.replay import Exported
from hedgerow.model.ids import BookId, ClientOrderId, LegId
from tests.journal.samples import BOOK, GOLDEN, HEDGE, TS, TURNS, golden_lines, plain_turn

VERSIONS = range(1, codec.CODEC_VERSION + 1)


def golden(version: int) -> list[Exported]:
    lines = (GOLDEN / f"v{version}.jsonl").read_bytes().splitlines()
    return [msgspec.json.decode(line, type=Exported) for line in lines]


def test_the_bytes_of_today_are_the_golden_ones() -> None:
    """A body or hash that changes makes every journal in the field unreadable, so it needs a new codec version."""
    assert golden_lines(TURNS) == (GOLDEN / f"v{codec.CODEC_VERSION}.jsonl").read_bytes().splitlines()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_golden_file_of_each_version_means_what_it_meant(version: int) -> None:
    """Fields that equal their default are not written, so a changed default would change the past."""
    turns = [decode(line.version, bytes(line.turn)) for line in golden(version)]
    assert "".join(f"{turn!r}\n" for turn in turns) == (GOLDEN / f"v{version}.means.txt").read_text("utf-8")


def test_the_golden_file_holds_every_event_and_every_command() -> None:
    """A new event or command is not done until its bytes are fixed."""
    turns = [decode(line.version, bytes(line.turn)) for line in golden(codec.CODEC_VERSION)]
    assert {type(turn.event) for turn in turns} == set(get_args(Event))
    assert {type(command) for turn in turns for command in turn.commands} == set(get_args(Command))


@pytest.mark.parametrize("version", VERSIONS)
def test_the_golden_chain_verifies(version: int) -> None:
    """The chain is part of the format: seq, epoch, version, book and body, each after the one before."""
    before = GENESIS
    for line in golden(version):
        body = bytes(line.turn)
        before = link(before, line.seq, line.epoch, line.version, decode(line.version, body).book_id, body)
        assert before.hex() == line.hash


@given(
    st.decimals(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.integers(0, 2**63 - 1),
)
def test_a_turn_comes_back_as_it_was(qty: Decimal, text: str, ts_ns: int) -> None:
    """Exact to the last digit and exponent, for any text and time; and encoding again gives the same bytes."""
    turn = Turn(BookId(text), ts_ns, PositionRead(ts_ns, HEDGE, ts_ns, qty))
    body = encode(turn)
    again = decode(codec.CODEC_VERSION, body)
    assert again == turn
    assert isinstance(again.event, PositionRead)
    assert str(again.event.net_qty) == str(qty)
    assert encode(again) == body


def test_an_older_version_is_read_through_its_upcaster(monkeypatch: pytest.MonkeyPatch) -> None:
    """A synthetic version 0 called the book `bot`; its journals must be read for ever."""

    def upcast(plain: codec.Plain) -> codec.Plain:
        return {"book_id": plain.pop("bot"), **plain}

    monkeypatch.setitem(codec.UPCASTERS, 0, upcast)
    turn = plain_turn(1)
    old_body = encode(turn).replace(b'"book_id"', b'"bot"')
    assert decode(0, old_body) == turn


def test_a_version_that_never_existed_is_damage() -> None:
    """Without an upcaster there is nothing to guess from."""
    with pytest.raises(JournalCorrupt, match="codec version 0 never existed"):
        decode(0, encode(plain_turn(1)))


def test_a_newer_version_is_refused_with_its_seq() -> None:
    """Reading half of what a newer program wrote would be worse than not starting."""
    record = Record(7, 1, codec.CODEC_VERSION + 1, BOOK, GENESIS, b"{}")
    with pytest.raises(JournalTooNew, match=r"record 7: codec version 2 is newer than 1"):
        _ = record.turn


@pytest.mark.parametrize(
    ("known", "unknown"),
    [(b'"what":"TimeReached"', b'"what":"MoonRisen"'), (b'"commands":[', b'"commands":[{"what":"FlyAway"},')],
)
def test_what_only_a_newer_version_knows_is_not_damage(known: bytes, unknown: bytes) -> None:
    """An event, a command or a word was added since; the hash has shown that nothing was changed."""
    cancel = CancelOrder(ClientOrderId("hr-b1-1-1"), LegId("lead"), "unwanted")
    body = encode(Turn(BOOK, 1, TimeReached(1), (cancel,)))
    assert known in body
    record = Record(7, 1, codec.CODEC_VERSION, BOOK, GENESIS, body.replace(known, unknown))
    with pytest.raises(JournalTooNew, match=r"^record 7: it is newer than this hedgerow"):
        _ = record.turn


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"book_id":1}', b"\xff\xfe", b"[" * 10_000])
def test_a_body_that_is_no_turn_is_damage(body: bytes) -> None:
    """Whatever the bytes are, the answer is one line that names the record."""
    record = Record(7, 1, codec.CODEC_VERSION, BOOK, GENESIS, body)
    with pytest.raises(JournalCorrupt, match=r"^record 7: the body is no turn"):
        _ = record.turn


def test_every_part_of_a_record_is_in_its_hash() -> None:
    """A record moved to another place, run or book does not verify, though its body is unchanged."""
    hashes = {
        link(GENESIS, 1, 1, 1, "a", b"body"),
        link(b"\x01" * 32, 1, 1, 1, "a", b"body"),
        link(GENESIS, 2, 1, 1, "a", b"body"),
        link(GENESIS, 1, 2, 1, "a", b"body"),
        link(GENESIS, 1, 1, 2, "a", b"body"),
        link(GENESIS, 1, 1, 1, "ab", b"ody"),
        link(GENESIS, 1, 1, 1, "a", b"bodY"),
    }
    assert len(hashes) == 7


def test_the_chain_counts_from_one_without_gaps() -> None:
    """The seq is given where the record is made, so that it is known before it is durable."""
    chain = Chain(epoch=3, seq=0, head=GENESIS)
    rows = [chain.add(BOOK, encode(plain_turn(number))) for number in (1, 2, 3)]
    assert [row[0] for row in rows] == [1, 2, 3]
    assert rows[1][4] == link(rows[0][4], 2, 3, codec.CODEC_VERSION, BOOK, rows[1][5])


def test_the_common_turn_is_small() -> None:
    """What grows is on disk, and every byte of it is hashed and synced."""
    turn = plain_turn(1)
    assert isinstance(turn.event, FillReceived)
    assert turn.ts_ns == TS + 1
    assert len(encode(turn)) < 600
