"""The loop: configs, gateways, clock and journal brought together around the core."""
