"""A simulated exchange, with real or synthetic market data. Time is an argument, and chance comes from a seed."""
