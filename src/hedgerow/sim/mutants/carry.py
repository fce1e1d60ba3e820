"""Mistakes of `carry`."""

from __future__ import annotations

from hedgerow.sim.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = ()
