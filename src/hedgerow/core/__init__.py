"""The decisions, pure: events in, commands out, through one door, `core.step.step`."""
