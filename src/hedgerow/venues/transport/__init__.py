"""The I/O of every venue: requests on open connections, streams that are kept open, and what bounds both."""
