"""What can be wrong with a journal. Each message is one line: what, where, and what to do next."""

from __future__ import annotations


class JournalError(Exception):
    """A journal cannot be used as asked."""


class JournalMissing(JournalError):
    """There is no journal at that path."""


class JournalLocked(JournalError):
    """Another process has the journal. Nothing was read or written."""


class JournalFenced(JournalError):
    """A later epoch was started on this journal: this writer may not write, or send, any more."""


class JournalTooNew(JournalError):
    """A newer version wrote the journal, or this record of it. Nothing was changed."""


class JournalCorrupt(JournalError):
    """What is on disk is not what was written. It is never repaired by guessing."""


class JournalLow(JournalError):
    """The disk is full and the ballast was freed: the last turns still fit. A warning; the journal goes on."""


class JournalFull(JournalError):
    """The disk is full. The turns of that commit are not durable; the store is dead until it is opened again."""


class JournalBroken(JournalError):
    """Input or output failed. What was being committed may be on disk or not; the store is dead until opened again."""
