"""Positions that exist already, closed by the first of their rules that fires: `policy` decides, by `look`."""
