"""A ladder of limit orders, each fill paired with its exit: `policy` decides, by what `look` sees at one moment."""
