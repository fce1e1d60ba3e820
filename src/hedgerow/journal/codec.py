"""Records: one turn as bytes, its place in the hash chain, and how older versions are read.

The bytes of a record never change once written. A change of meaning (a renamed field, another default) needs a new
`CODEC_VERSION` and an upcaster from the one before it; a new field with a default does not.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable

import msgspec

from hedgerow.core.commands import Turn
from hedgerow.journal.errors import JournalCorrupt, JournalTooNew
from hedgerow.model.ids import BookId

CODEC_VERSION = 1

Plain = dict[str, object]
"A turn as plain JSON values."

# Version -> what turns a body of that version into one of the next. Never remove one: old journals are read for ever.
UPCASTERS: dict[int, Callable[[Plain], Plain]] = {}

Row = tuple[int, int, int, BookId, bytes, bytes]
"(seq, epoch, codec version, book id, hash, body): a record as the journal's table has it."

HASH_LEN = 32
GENESIS = bytes(HASH_LEN)
"The hash before the first record."

_CHAIN = b"hedgerow/v1"
_SNAPSHOT_CHAIN = b"hedgerow/v1/snapshot"
# seq, epoch, codec version, length of the book id, length of the body.
_pack_record = struct.Struct(">QQIII").pack
# seq, length of the book id, length of the body.
_pack_snapshot = struct.Struct(">QII").pack

_sha256 = hashlib.sha256
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Turn).decode
_decode_plain = msgspec.json.Decoder(Plain).decode


class _Tagged(msgspec.Struct, frozen=True):
    what: str


class _Frame(msgspec.Struct, frozen=True):
    """What every turn of every version has."""

    book_id: str
    ts_ns: int
    event: _Tagged


_decode_frame = msgspec.json.Decoder(_Frame).decode


class Record(msgspec.Struct, frozen=True, gc=False):
    """One turn in its place in the journal."""

    seq: int
    "From 1, without gaps, over all books of the journal."
    epoch: int
    "The run that wrote it."
    version: int
    "The codec version of the body."
    book_id: BookId
    hash: bytes
    "Of this record and, through the chain, of all before it."
    body: bytes

    @property
    def turn(self) -> Turn:
        """Return the turn, decoded anew each time.

        Raises:
            JournalTooNew: a newer version wrote it.
            JournalCorrupt: the body is no turn.
        """
        try:
            return decode(self.version, self.body)
        except JournalTooNew as error:
            raise JournalTooNew(f"record {self.seq}: {error}") from None
        except JournalCorrupt as error:
            raise JournalCorrupt(f"record {self.seq}: {error}") from None


class Snapshot(msgspec.Struct, frozen=True, gc=False):
    """A book's state after its turns up to a seq, as bytes that only the book's own code reads."""

    seq: int
    book_id: BookId
    body: bytes
    sha: bytes
    "Binds the body to the record at `seq`, and so to this journal."


def encode(turn: Turn) -> bytes:
    """Return the canonical body: JSON, fields in the order of declaration, numbers of money as exact text."""
    return _encode(turn)


def decode(version: int, body: bytes) -> Turn:
    """Return the turn that a body of any known version holds.

    Raises:
        JournalTooNew: `version` is newer than this program.
        JournalCorrupt: the body is no turn of that version.
    """
    try:
        if version == CODEC_VERSION:
            return _decode(body)
        if version > CODEC_VERSION:
            raise JournalTooNew(
                f"codec version {version} is newer than {CODEC_VERSION}, the newest known here; use a newer hedgerow"
            )
        plain = _decode_plain(body)
        for old in range(version, CODEC_VERSION):
            if old not in UPCASTERS:
                raise JournalCorrupt(f"codec version {old} never existed; restore the journal from a copy")
            plain = UPCASTERS[old](plain)
        return msgspec.convert(plain, Turn)
    except msgspec.ValidationError as error:
        if _has_frame(body):
            raise JournalTooNew(
                f"it is newer than this hedgerow, which does not know all of it ({error}); use a newer one"
            ) from error
        raise JournalCorrupt(f"the body is no turn: {error}; restore the journal from a copy") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise JournalCorrupt(f"the body is no turn: {error}; restore the journal from a copy") from error


def _has_frame(body: bytes) -> bool:
    """Whether a body begins to be a turn. Then what is unknown in it is not damage, which the hash would have shown."""
    try:
        _decode_frame(body)
    except msgspec.MsgspecError:
        return False
    return True


def link(before: bytes, seq: int, epoch: int, version: int, book_id: str, body: bytes) -> bytes:
    """Return the hash of a record, given the hash of the one before it."""
    book = book_id.encode()
    header = _pack_record(seq, epoch, version, len(book), len(body))
    return _sha256(b"".join((_CHAIN, before, header, book, body))).digest()


class Chain:
    """The growing end of a journal: gives each new body its seq and its hash. One per writer, used from one thread."""

    __slots__ = ("epoch", "head", "seq")

    def __init__(self, epoch: int, seq: int, head: bytes) -> None:
        self.epoch = epoch
        self.seq = seq
        self.head = head

    def add(self, book_id: BookId, body: bytes) -> Row:
        """Return the next record as a row of the journal's table."""
        seq = self.seq + 1
        head = link(self.head, seq, self.epoch, CODEC_VERSION, book_id, body)
        self.seq, self.head = seq, head
        return seq, self.epoch, CODEC_VERSION, book_id, head, body

    def snapshot(self, book_id: BookId, body: bytes) -> Snapshot:
        """Return a book's state as of the last record added."""
        return Snapshot(self.seq, book_id, body, seal(self.head, self.seq, book_id, body))


def seal(at: bytes, seq: int, book_id: str, body: bytes) -> bytes:
    """Return the sha of a snapshot; `at` is the hash of the record at `seq`."""
    book = book_id.encode()
    return _sha256(b"".join((_SNAPSHOT_CHAIN, at, _pack_snapshot(seq, len(book), len(body)), book, body))).digest()
