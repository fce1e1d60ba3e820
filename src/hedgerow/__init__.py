"""Keeps positions hedged: when one leg fills, the other follows, in the right size, once, soon, and through faults."""

__version__ = "0.1.0"
