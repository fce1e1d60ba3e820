"""A simulated exchange, with real or synthetic market data. No clock: time is an argument; no chance but from a seed."""
