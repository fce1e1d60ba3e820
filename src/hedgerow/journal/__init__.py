"""The memory: turns in the order in which they happened, hash-chained, durable before any request of theirs leaves."""
