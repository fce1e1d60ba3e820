"""Long on one venue, short on another, in rounds: `policy` decides, `opening` and `leg` know how."""
