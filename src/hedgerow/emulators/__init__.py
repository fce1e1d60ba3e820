"""Emulators: the simulated exchange behind each venue's real wire protocol. They share no code with the wire modules,
which they judge."""
