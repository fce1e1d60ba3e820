"""The API on its Unix socket: what it shows, what it takes, and who may open it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import stat
from pathlib import Path

import pytest
from msgspec.structs import replace

from hedgerow.api.client import NodeSilent, NoNode, Refused, get, post
from hedgerow.api.server import BODY_BYTES_MAX, CONNECTIONS_MAX, SocketUnusable, _is_news, bind
from hedgerow.core.commands import Mode
from hedgerow.runtime import folder
from hedgerow.runtime.folder import socket_path
from tests.api.running import filled_desk, served

FREEZE = "books/b1/freeze"


def test_every_read_answers_with_its_schema(tmp_path: Path) -> None:
    """Programs read the schema first."""
    with served(filled_desk(), tmp_path):
        for name in ("status", "positions", "orders", "holds", "alarms", "config"):
            answer = get(socket_path(tmp_path), name)
            assert answer["schema"] == f"hedgerow.{name}/1"
            assert answer["source"] == "running"


def test_the_status_tells_a_hedged_book(tmp_path: Path) -> None:
    """Numbers of money are exact text."""
    with served(filled_desk(), tmp_path):
        answer = get(socket_path(tmp_path), "status")

    (book,) = answer["books"]
    assert answer["hedged"]
    assert (book["state"], book["residual"], book["unhedged_ms"], book["fills"]) == ("hedged", "0", 0, 2)
    assert [leg["net_qty"] for leg in book["legs"]] == ["1", "-1"]
    assert book["pnl"]["is_complete"]


def test_reads_change_nothing(tmp_path: Path) -> None:
    """A GET has no side effect, so that anything may poll it."""
    desk = filled_desk(hedged=False)
    before = desk.book.digest()
    with served(desk, tmp_path) as node:
        for name in ("status", "positions", "orders", "orders?closed=true", "holds", "alarms", "config", "explain/t1"):
            get(socket_path(tmp_path), name)
        assert node.operated == []
    assert desk.book.digest() == before


def test_an_operators_order_reaches_the_book_once(tmp_path: Path) -> None:
    """A request that is sent again after a lost answer must not act twice."""
    with served(filled_desk(), tmp_path) as node:
        asked = {"request_id": "r1", "principal": "ann"}
        first = post(socket_path(tmp_path), FREEZE, asked)
        second = post(socket_path(tmp_path), FREEZE, asked)
        assert (first["repeated"], second["repeated"]) == (False, True)
        assert len(node.operated) == 1
        assert node.desk.book.mode is Mode.FROZEN
        assert node.desk.book.state.mode_reason == "freeze by ann"


def test_a_request_id_is_not_taken_for_another_order(tmp_path: Path) -> None:
    """A resume under the id of a freeze is refused, and not swallowed as if it had been done."""
    with served(filled_desk(), tmp_path) as node:
        post(socket_path(tmp_path), FREEZE, {"request_id": "r1"})
        with pytest.raises(Refused, match="r1 was used to freeze"):
            post(socket_path(tmp_path), FREEZE.replace("freeze", "resume"), {"request_id": "r1"})
        assert node.desk.book.mode is Mode.FROZEN


@pytest.mark.parametrize(
    ("route", "body", "code", "words"),
    [
        ("books/b2/freeze", {"request_id": "r"}, "HR-206", "books: b1"),
        ("books/b1/explode", {"request_id": "r"}, "HR-208", "no action"),
        (FREEZE, {}, "HR-208", "request_id"),
        (FREEZE, {"request_id": ""}, "HR-208", "1 to 128"),
        (FREEZE, {"request_id": "r", "forse": True}, "HR-208", "forse"),
        (FREEZE, {"request_id": "r\x1b[2J"}, "HR-208", "request_id must have 1 to 128 printable"),
        (FREEZE, {"request_id": "r", "principal": ""}, "HR-208", "principal must have 1 to 64 printable"),
        (FREEZE, {"request_id": "r", "principal": "a" * 65}, "HR-208", "principal must have 1 to 64 printable"),
        (FREEZE, {"request_id": "r", "principal": "a\nb"}, "HR-208", "principal must have 1 to 64 printable"),
        (FREEZE, {"request_id": "r", "principal": "node:stop from running: me"}, "HR-208", "must not have node:"),
        (FREEZE, {"request_id": "r", "principal": "me, node:stop from running: x"}, "HR-208", "must not have node:"),
        (FREEZE, {"request_id": "r", "detail": "\x1b]0;"}, "HR-208", "detail must have printable"),
        ("books/b1", {"request_id": "r"}, "HR-208", "POST /api/v1/books/b1: not found"),
        ("status", {"request_id": "r"}, "HR-208", "POST /api/v1/status: method not allowed"),
    ],
)
def test_what_is_wrong_is_refused_with_a_code(
    tmp_path: Path, route: str, body: dict[str, object], code: str, words: str
) -> None:
    """Nothing is guessed about an order to a book."""
    with served(filled_desk(), tmp_path) as node:
        with pytest.raises(Refused, match=words) as refused:
            post(socket_path(tmp_path), route, body)
        assert refused.value.code == code
        assert node.operated == []


@pytest.mark.parametrize(
    ("method", "route", "body", "status", "words"),
    [
        ("GET", "nothing", None, 404, "GET /api/v1/nothing: not found"),
        ("DELETE", "status", None, 405, "DELETE /api/v1/status: method not allowed"),
        ("GET", "orders?closed=perhaps", None, 422, "query.closed: Input should be a valid boolean"),
        ("POST", FREEZE, b'{"request_id": "r", "principal": "a", "principal": "b"}', 400, "principal is given twice"),
        ("POST", FREEZE, b'{"request_id": "r", "request_\\u0069d": "s"}', 400, "request_id is given twice"),
    ],
)
def test_every_refusal_has_the_same_form(
    tmp_path: Path, method: str, route: str, body: bytes | None, status: int, words: str
) -> None:
    """A program reads one kind of answer, whoever of the server's layers refuses."""
    with served(filled_desk(), tmp_path) as node, socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(socket_path(tmp_path)))
        told = f"{method} /api/v1/{route} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
        asking.sendall(f"{told}content-length: {len(body or b'')}\r\n\r\n".encode() + (body or b""))
        head, _, answer = b"".join(iter(lambda: asking.recv(4096), b"")).partition(b"\r\n\r\n")
        assert node.operated == []

    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"application/problem+json" in head.lower()
    problem = json.loads(answer)
    assert (problem["status"], problem["code"]) == (status, "HR-208")
    assert words in problem["detail"]


def test_a_signal_for_a_policy_without_signals_is_refused(tmp_path: Path) -> None:
    """Taken and ignored, it would look as if it had been heard."""
    desk = filled_desk()
    desk.book.config = replace(desk.book.config, policy="mirror", params={"qty": "1", "max_net_qty": "1"})
    with served(desk, tmp_path) as node:
        with pytest.raises(Refused, match="b1 is a mirror that enters without signals") as refused:
            post(socket_path(tmp_path), "books/b1/signal", {"request_id": "r"})
        assert refused.value.code == "HR-209"
        assert node.operated == []


def test_explain_finds_the_chain_of_a_fill(tmp_path: Path) -> None:
    """From the fill to the hedge that it led to."""
    with served(filled_desk(), tmp_path):
        answer = get(socket_path(tmp_path), "explain/t1")
        with pytest.raises(Refused, match="names nobody"):
            get(socket_path(tmp_path), "explain/nobody")

    whats = [row["what"] for row in answer["rows"]]
    assert {"fill", "position", "residual", "order"} <= set(whats)
    assert "hedged" in answer["result"]


def test_an_answer_that_is_cut_off_at_the_end_is_no_news() -> None:
    """A node that stops while somebody asks must not print a traceback; what else goes wrong is told."""
    for error, is_news in ((asyncio.CancelledError(), False), (RuntimeError(), True)):
        record = logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, "", (), (type(error), error, None))
        assert _is_news(record) is is_news


def test_connections_that_bring_nothing_keep_nobody_out(tmp_path: Path) -> None:
    """A monitor that leaks them must take neither the node's files nor the operator's way to it."""
    with served(filled_desk(), tmp_path) as node, contextlib.ExitStack() as stack:
        idle: list[socket.socket] = []
        for _ in range(CONNECTIONS_MAX + 8):
            idle.append(stack.enter_context(socket.socket(socket.AF_UNIX)))
            idle[-1].connect(str(socket_path(tmp_path)))
            idle[-1].sendall(b"GET /api/v1/sta")
        post(socket_path(tmp_path), FREEZE, {"request_id": "r1"})
        assert len(node.operated) == 1
        idle[0].settimeout(5)
        with contextlib.suppress(ConnectionResetError):
            assert idle[0].recv(1) == b""


def test_a_body_without_an_end_is_refused_before_it_ends(tmp_path: Path) -> None:
    """What is sent must not fill the node's memory."""
    with served(filled_desk(), tmp_path) as node, socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(socket_path(tmp_path)))
        asking.settimeout(5)
        asking.sendall(f"POST /api/v1/{FREEZE} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        asking.sendall(b"%x\r\n%b\r\n" % (BODY_BYTES_MAX + 1, b"a" * (BODY_BYTES_MAX + 1)))
        assert asking.recv(4_096).startswith(b"HTTP/1.1 413")
        assert node.operated == []


def test_the_socket_is_for_its_owner_only(tmp_path: Path) -> None:
    """Who can open the socket can halt the books."""
    state = tmp_path / "state"
    with served(filled_desk(), state):
        assert stat.S_IMODE(socket_path(state).stat().st_mode) == 0o600
        assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert not socket_path(state).exists()


def test_a_long_path_is_served_and_reached_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of a socket is short; its folder's need not be, wherever the node was started and whoever asks."""
    state = tmp_path / ("x" * 150) / "state"
    state.mkdir(parents=True)
    monkeypatch.chdir(state)
    with served(filled_desk(), state):
        monkeypatch.chdir("/")
        assert get(socket_path(state), "status")["hedged"]
        assert stat.S_IMODE(socket_path(state).stat().st_mode) == 0o600
        with pytest.raises(SocketUnusable, match="a node answers"):
            bind(state)


def test_a_system_that_cannot_name_long_paths_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shorter folder is the remedy there."""
    monkeypatch.setattr(folder, "OPEN_FOLDERS", tmp_path / "nothing")

    with pytest.raises(SocketUnusable, match="more than 103 bytes") as refused:
        bind(tmp_path / ("x" * 150))
    assert refused.value.code == "HR-204"


def test_a_folder_with_other_things_is_not_closed_to_others(tmp_path: Path) -> None:
    """`--state /tmp` must not close /tmp; one that anybody may write is no place for a socket."""
    (tmp_path / "theirs").touch()
    tmp_path.chmod(0o755)
    bind(tmp_path).close()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755

    tmp_path.chmod(0o1777)
    with pytest.raises(SocketUnusable, match="others can write there; name a folder of its own") as refused:
        bind(tmp_path)
    assert refused.value.code == "HR-205"
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o1777
    tmp_path.chmod(0o700)


def test_the_socket_of_a_dead_node_is_replaced(tmp_path: Path) -> None:
    """A killed process cannot clean up after itself."""
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(socket_path(tmp_path)))
    dead.close()

    with served(filled_desk(), tmp_path):
        assert get(socket_path(tmp_path), "status")["hedged"]


def test_an_occupied_socket_is_refused(tmp_path: Path) -> None:
    """Two nodes on one state folder would be two engines on one journal."""
    with served(filled_desk(), tmp_path):
        with pytest.raises(SocketUnusable, match="a node answers") as refused:
            bind(tmp_path)
        assert refused.value.code == "HR-203"
        assert get(socket_path(tmp_path), "status")["hedged"]


def test_a_file_in_the_sockets_place_is_left_alone(tmp_path: Path) -> None:
    """It is not ours to delete."""
    (tmp_path / "api.sock").write_text("mine", encoding="utf-8")

    with pytest.raises(SocketUnusable, match="no socket"):
        bind(tmp_path)
    assert (tmp_path / "api.sock").read_text(encoding="utf-8") == "mine"


def test_nobody_and_somebody_silent_are_told_apart(tmp_path: Path) -> None:
    """The one is at rest, the other is in trouble."""
    with pytest.raises(NoNode):
        get(socket_path(tmp_path), "status")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(socket_path(tmp_path)))
        listener.listen()
        answers = [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno"]
        for answer in answers:
            client_error = _ask_a_stub(listener, answer, socket_path(tmp_path))
            assert isinstance(client_error, NodeSilent)


def _ask_a_stub(listener: socket.socket, answer: bytes, path: Path) -> Exception | None:
    """Ask a listener that gives `answer` to the first request and closes."""
    import threading

    def serve() -> None:
        connection, _ = listener.accept()
        connection.recv(4096)
        connection.sendall(answer)
        connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        get(path, "status")
    except Exception as error:
        return error
    finally:
        thread.join()
    return None
