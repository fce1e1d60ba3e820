"""The report: one file that needs nothing else, and numbers as they are."""

from __future__ import annotations

import csv
import errno
import io
import json
import re
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from hedgerow.sim import report
from hedgerow.sim.report import (
    check_file,
    check_folder,
    duration,
    facts,
    fills_csv,
    html,
    money,
    percentile,
    replace_file,
    save,
)
from hedgerow.sim.result import BacktestResult, Exposure, ResultError, load_result
from tests.sim.results import empty_book, full_book, full_result

D = Decimal
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


def test_one_file_holds_everything() -> None:
    """It is opened from a disk, perhaps years later and without a network."""
    page = html(full_result())

    assert re.findall(r"\b(?:src|href)=\"(?!data:)", page) == []
    assert "default-src 'none'" in page and "@import" not in page
    assert re.findall(r"https?://(?!www\.w3\.org/)", page) == []
    assert "{{" not in page.split("<script>")[0].split('id="data"')[0]


def test_the_data_inside_is_the_result() -> None:
    """Text of a note cannot end the script that carries it."""
    page = html(full_result())
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    body = json.loads(data)

    assert body["result"]["notes"] == ["A note with </script> in it."]
    assert body["result"]["books"][0]["fills"][0]["price"] == "100"
    assert body["facts"][0][0] == {
        "key": "pnl",
        "name": "net P&L",
        "text": "+0.23 USDT",
        "exact": "0.23",
        "note": "",
        "tone": "good",
    }
    assert body["texts"]["rate_limited"][0].startswith("The venue's rate limit")


def test_very_many_fills_are_cut_in_the_page_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of a million rows opens on no phone; the CSV file has them all."""
    monkeypatch.setattr(report, "FILLS_SHOWN_MAX", 3)
    page = html(full_result())

    assert '"fills":[4]' in page and "hr-b1-1-3" in page and "hr-b1-1-4" not in page
    assert "hr-b1-1-4" in fills_csv(full_result())


def test_fills_are_exact_rows() -> None:
    """One a line, under the names of the fields."""
    rows = list(csv.DictReader(io.StringIO(fills_csv(full_result()))))

    assert len(rows) == 4
    assert rows[1] | {"order_id": ""} == {
        "book": "b1",
        "time": "2022-01-01T00:00:11.000000000Z",
        "id": "2",
        "ts_ns": "1640995211000000000",
        "leg_id": "hedge",
        "side": "sell",
        "qty": "0.5",
        "price": "100.5",
        "role": "hedge",
        "order_id": "",
        "slot": "",
        "fee": "0.02",
        "slippage": "0.1",
        "is_maker": "False",
        "venue_made": "False",
        "cause": "1",
        "latency_ns": "40000000",
        "carried_ns": "0",
    }


def test_saving_makes_the_folder_and_three_files(tmp_path: Path) -> None:
    """Again and again in the same place, without leftovers."""
    folder = tmp_path / "reports" / "grid"
    for _ in range(2):
        saved = save(full_result(), folder)
    assert sorted(path.name for path in folder.iterdir()) == ["fills.csv", "report.html", "result.json"]
    assert load_result(saved.json) == full_result()
    assert saved.html.read_text() == html(full_result())


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """In one line."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match="cannot be made"):
        save(full_result(), tmp_path / "file")
    (tmp_path / "out" / "report.html").mkdir(parents=True)
    with pytest.raises(ResultError, match=r"report\.html: cannot be written"):
        save(full_result(), tmp_path / "out")
    assert not list((tmp_path / "out").glob(".*"))
    with pytest.raises(ResultError, match="it is not a file"):
        replace_file(Path("/dev/null"), b"")


def test_a_place_is_tried_before_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there stays as it is, nothing is left behind, and each way to fail is told as it would be afterwards."""
    saved = save(full_result(), tmp_path / "out")
    check_folder(tmp_path / "out")
    check_folder(tmp_path / "new" / "folder")
    assert load_result(saved.json) == full_result()
    assert not list((tmp_path / "new" / "folder").iterdir())
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ResultError, match=r"cannot be made.*name another --out"):
            check_folder(place)
    with pytest.raises(ResultError, match="No such file or directory; name another place"):
        check_file(tmp_path / "nowhere" / "heat.html")
    with pytest.raises(ResultError, match="cannot be"):
        check_folder(Path("/proc/out"))

    def full(path: Path, body: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left on device"):
        check_folder(tmp_path / "out")


def test_a_full_disk_is_no_bad_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The remedy is another one, so the error stays what it is, and names the file that was to be made."""

    def full(path: Path, body: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match=r"No space left on device: .*/result\.json'"):
        save(full_result(), tmp_path)


def test_the_facts_of_a_book_are_exact_and_readable() -> None:
    """Both forms of each number, so that nobody computes from what is rounded."""
    said = {fact.key: fact for fact in facts(full_book())}

    assert (said["pnl"].exact, said["pnl"].text, said["pnl"].tone) == ("0.23", "+0.23 USDT", "good")
    assert (said["unhedged_ns"].text, said["unhedged_ns"].note) == ("3.33 %", "2.00 s, longest 1.00 s")
    assert (said["hedge_p50_ns"].exact, said["hedge_p50_ns"].text) == ("40000000", "40.0 ms")
    assert said["fills"].note == "2 as maker, 2 as taker"
    assert (said["rounds"].exact, said["pairs"].exact, said["alarms"].tone) == ("1", "1", "bad")


def test_a_book_without_anything_has_facts_too() -> None:
    """No division by zero, no invented number."""
    said = {fact.key: fact for fact in facts(empty_book())}
    assert (said["pnl"].text, said["pnl"].tone) == ("0.00 USD", "")
    assert said["residual"].name == "position at the end" and not {"rounds", "unhedged_ns", "hedge_p50_ns"} & set(said)


def test_legs_that_stand_apart_are_not_added_up() -> None:
    """Shares and options of one account are no residual of one another, and nothing of them is hedged."""
    book = full_book()
    book = msgspec.structs.replace(book, stands_apart=True, exposure=(Exposure(1, (D("10"), D("-10")), D("0")),))
    said = {fact.key: fact for fact in facts(book)}
    names = [leg.instrument_id.partition(":")[2] for leg in book.legs]
    assert said["residual"].text == f"+10 {names[0]}, -10 {names[1]}"
    assert not {"unhedged_ns", "hedge_p50_ns"} & set(said)


def test_a_percentile_is_a_value_that_occurred() -> None:
    """The smallest that so many are not above."""
    assert percentile([], 50) is None
    assert [percentile(list(range(1, 101)), at) for at in (50, 99, 100)] == [50, 99, 100]
    assert percentile([7], 99) == 7


def test_amounts_and_lengths_are_written_for_people() -> None:
    """Small amounts keep their first digits."""
    assert [money(D(text)) for text in ("1204.555", "-3", "0", "0.00123", "-0.5")] == [
        "+1,204.56",
        "-3.00",
        "0.00",
        "+0.0012",
        "-0.50",
    ]
    texts = [duration(ns) for ns in (412_000, 31_040_000, 1_830_000_000, 125 * 10**9, 11_400 * 10**9, 180_000 * 10**9)]
    assert texts == ["412 µs", "31.0 ms", "1.83 s", "2 min 05 s", "3 h 10 min", "2 d 02 h"]


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
@pytest.mark.parametrize("result", [full_result(), full_result(empty_book()), full_result(full_book(), empty_book())])
def test_a_browser_draws_it_without_an_error(tmp_path: Path, result: BacktestResult) -> None:
    """Every panel is there, and the script ran to its end."""
    assert CHROMIUM is not None
    saved = save(msgspec.structs.replace(result, config="<b>"), tmp_path)
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--virtual-time-budget=3000"]
    shown = subprocess.run(
        [CHROMIUM, *flags, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", saved.html.as_uri()],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert "CONSOLE" not in shown.stderr
    text = re.sub(r"<script.*?</script>", "", shown.stdout, flags=re.DOTALL)
    titles = [
        "P&amp;L identity",
        "Equity and drawdown",
        "Price and fills",
        "Exposure by leg",
        "Holds by reason",
        "Fills",
    ]
    # Only what has a leg to hedge with can be late in hedging.
    titles += ["Hedge latency", "Time unhedged"] if len(result.books[0].legs) > 1 else []
    assert [title for title in [*titles, "Legs at the end", "This run"] if f"<h2>{title}" not in text] == []
    assert "this file needs no network" in text and "&lt;b&gt; (sha" in text
