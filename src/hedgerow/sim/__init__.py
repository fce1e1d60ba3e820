"""The whole world in one thread, in virtual time: venues that lie within their contracts, and an oracle that judges."""
