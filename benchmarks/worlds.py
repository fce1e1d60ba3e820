"""Torture worlds per second, with two jobs."""

from __future__ import annotations

from benchmarks.process import MeasurementFailed, run
from benchmarks.report import Number, Skipped

