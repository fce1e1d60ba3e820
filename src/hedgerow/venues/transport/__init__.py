"""The I/O of every venue: one HTTP session, streams that are kept open, and what bounds both."""
