"""Mistakes that were made for real, put back one at a time: the torture or a story must find each of them."""

from hedgerow.sim.mutants.hunting import MUTANTS, Hunt, MutantReport, all_told, hunt_mutant, problem, row_of, run
from hedgerow.sim.mutants.mutant import Mutant

__all__ = ["MUTANTS", "Hunt", "Mutant", "MutantReport", "all_told", "hunt_mutant", "problem", "row_of", "run"]
