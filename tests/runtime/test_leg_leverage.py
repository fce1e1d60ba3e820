"""A leg with a leverage of its own in a node: set at its venue before anything is entered, or no start."""

from __future__ import annotations

import io
from pathlib import Path

from hedgerow.core.commands import SetLeverage, SubmitOrder
from hedgerow.journal.sqlite import SqliteStore
from hedgerow.runtime.config import load_text
from hedgerow.runtime.node import EXIT_DONE, EXIT_REFUSED
from hedgerow.runtime.simulated import run_node
from tests.runtime.until import AT_MOST_S, Until, submits

PAIR = (Path(__file__).parents[2] / "examples" / "pair.yaml").read_text(encoding="utf-8")


def ran(text: str, folder: Path) -> tuple[int, str, list[type]]:
    """Run a config until something was ordered; return its exit code, its notes, and what left for the venues."""
    config = load_text(text, "pair.yaml", folder, folder / "state")
    out, err = io.StringIO(), io.StringIO()
    code = run_node(config, lambda node: Until(node, submits), out, err, speed=20, seconds=AT_MOST_S)
    store = SqliteStore(config.journal, read_only=True)
    sent = [type(command) for record in store.turns() for command in record.turn.commands]
    store.close()
    return code, err.getvalue(), [each for each in sent if each in (SetLeverage, SubmitOrder)]


def test_it_is_set_before_the_first_order(tmp_path: Path) -> None:
    """The account has 1 and the config says 3: both legs are set, read back, and only then a round opens."""
    code, _, sent = ran(PAIR, tmp_path)

    assert code == EXIT_DONE
    assert sent[:2] == [SetLeverage, SetLeverage]
    assert SubmitOrder in sent[2:]


def test_a_venue_that_refuses_it_ends_the_start(tmp_path: Path) -> None:
    """One line says which leg of which account, what was asked for and what the venue answered; nothing was ordered."""
    code, notes, sent = ran(PAIR.replace("leverage: 3", "leverage: 300"), tmp_path)

    assert code == EXIT_REFUSED
    assert "sol-pair: leverage 300 of sim" in notes
    assert "-4028 Leverage is not valid" in notes
    assert SubmitOrder not in sent
