"""Every error that a person can meet: a stable code, its exit code, and the next step. docs/reference/errors.md is
drawn from this table."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Exit(IntEnum):
    """Exit codes of every command. From 64 on they are those of sysexits.h."""

    DONE = 0
    BUG = 1
    USAGE = 2
    NOT_HEDGED = 3
    HALTED = 4
    UNREACHABLE = 5
    PARTLY = 6
    NOT_PERMITTED = 7
    DAMAGED = 65
    NO_INPUT = 66
    SET_UP = 69
    DISK = 74
    IN_USE = 75
    CONFIG = 78
    INTERRUPTED = 130


class Code(NamedTuple):
    """One error."""

    exit: Exit
    title: str
    next_step: str


CODES: dict[str, Code] = {
    "HR-001": Code(Exit.BUG, "unexpected failure", "send the crash report that the message names"),
    "HR-002": Code(Exit.USAGE, "the command line is wrong", "see `hedgerow COMMAND --help`"),
    "HR-003": Code(Exit.USAGE, "asserts are switched off", "start Python without -O and PYTHONOPTIMIZE"),
    "HR-004": Code(Exit.USAGE, "a confirmation is needed and nobody can be asked", "add --yes"),
    "HR-101": Code(Exit.CONFIG, "the config is invalid", "mend what is listed, then `hedgerow config check CONFIG`"),
    "HR-102": Code(Exit.USAGE, "no config was named", "name one: `hedgerow run CONFIG`, or set HEDGEROW_CONFIG"),
    "HR-201": Code(Exit.UNREACHABLE, "no node runs here", "start one with `hedgerow run CONFIG`, or name its --state"),
    "HR-202": Code(Exit.UNREACHABLE, "the node does not answer", "look at its own output; then start it again"),
    "HR-203": Code(
        Exit.IN_USE, "another node is in the way", "stop it, or give this one a state folder and accounts of its own"
    ),
    "HR-204": Code(Exit.CONFIG, "a path is too long", "use a shorter --state"),
    "HR-205": Code(
        Exit.DISK, "the state folder cannot be used", "check its owner and permissions, or use another --state"
    ),
    "HR-206": Code(Exit.USAGE, "there is no such book", "`hedgerow status` lists the books"),
    "HR-207": Code(
        Exit.USAGE, "nothing of that name was found", "`hedgerow orders` and `hedgerow status` show the ids"
    ),
    "HR-208": Code(Exit.UNREACHABLE, "the node refused the request", "read what it says"),
    "HR-209": Code(
        Exit.USAGE,
        "the book takes no signals",
        "a carry takes them with `entry_on: signal`, a pair with `rounds: single`",
    ),
    "HR-301": Code(Exit.NO_INPUT, "there is no journal", "check the path, or run a node to make one"),
    "HR-302": Code(Exit.IN_USE, "the journal is in use", "stop the process that has it, or use another --state"),
    "HR-303": Code(Exit.DAMAGED, "the journal is of a newer version", "use the hedgerow that wrote it"),
    "HR-304": Code(Exit.DAMAGED, "the journal is damaged", "restore it from a copy"),
    "HR-305": Code(Exit.DISK, "the disk is full", "free disk space, then start again"),
    "HR-306": Code(Exit.DISK, "the journal cannot be written or read", "check its disk and permissions"),
    "HR-307": Code(Exit.IN_USE, "another run took the journal over", "stop this process; the other has the books"),
    "HR-308": Code(Exit.DISK, "the output cannot be written", "check where it goes to"),
    "HR-401": Code(Exit.DAMAGED, "a tape cannot be used", "record it again, or leave it out"),
    "HR-403": Code(
        Exit.DAMAGED,
        "what the simulated venues remembered cannot be read",
        "move the file away: the venues then begin anew, and what differs from the journal is shown as drift",
    ),
    "HR-402": Code(Exit.NO_INPUT, "a file cannot be read or written", "check its path and permissions"),
    "HR-404": Code(Exit.DAMAGED, "market data cannot be used", "mend what is named, then import it again"),
    "HR-405": Code(
        Exit.NO_INPUT, "the result of a backtest cannot be read or written", "name what `hedgerow backtest --out` made"
    ),
    "HR-406": Code(Exit.USAGE, "a file is there already", "name another one, or add --force"),
    "HR-601": Code(Exit.UNREACHABLE, "a venue cannot be reached or does not answer", "`hedgerow doctor CONFIG`"),
    "HR-602": Code(Exit.NOT_PERMITTED, "an API key may not be used", "`hedgerow doctor CONFIG`"),
    "HR-603": Code(Exit.CONFIG, "an account is not as the config says", "`hedgerow doctor CONFIG`"),
    "HR-604": Code(
        Exit.NOT_PERMITTED,
        "real money was not asked for clearly",
        "`mode: live` in the config, --live, and each account id typed, or given by --confirm",
    ),
    "HR-501": Code(Exit.PARTLY, "not everything is flat", "`hedgerow status` shows what is left and why"),
    "HR-502": Code(Exit.BUG, "the demo failed", "run it again; its journal says what happened"),
    "HR-503": Code(Exit.USAGE, "the folder of the demo is in use", "name a new folder, or leave --state out"),
    "HR-504": Code(Exit.IN_USE, "the port cannot be used", "name another --port, or 0 for any that is free"),
}
