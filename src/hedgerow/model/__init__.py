"""The nouns: numbers, ids, instruments, orders, positions and quotes. Nothing here decides or does I/O."""
