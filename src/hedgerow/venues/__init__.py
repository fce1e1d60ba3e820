"""The outside world: one gateway per venue account, one contract for all of them."""
