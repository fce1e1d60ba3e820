"""Backtests: the books of a config on recorded markets, in virtual time; what cannot matter is skipped in bulk."""
