"""What simulated venues remember over the death of their process."""

from __future__ import annotations

import errno
from decimal import Decimal
from pathlib import Path

import pytest

from hedgerow.runtime.config import load_text
from hedgerow.runtime.simulated import VENUES_FILE, VenueMemory, open_exchanges
from tests.runtime.worlds import CONFIG


def test_a_full_disk_is_written_over_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a node stops on a full disk its venues still trade: what they forgot would be drift at the next start."""
    path = tmp_path / VENUES_FILE
    config = load_text(CONFIG, "test.yaml", tmp_path, tmp_path)
    exchanges = open_exchanges(config)
    memory = VenueMemory(path, exchanges)
    memory.save()
    (leg, *_) = config.books[0].legs
    exchanges[leg.instrument.venue_id].endow(leg.account_id, leg.instrument.id, Decimal("0.05"), Decimal(60000))

    def full(path: Path, body: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    memory.save()

    again = open_exchanges(config)
    VenueMemory(path, again)
    assert again[leg.instrument.venue_id].positions(leg.account_id)[leg.instrument.id] == Decimal("0.05")
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_without_room_for_any_of_it_is_told_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is half written, and the line names what could not be."""
    path = tmp_path / VENUES_FILE
    memory = VenueMemory(path, open_exchanges(load_text(CONFIG, "test.yaml", tmp_path, tmp_path)))

    def full(path: Path, body: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match=r"No space left on device: .*venues\.json"):
        memory.save()
