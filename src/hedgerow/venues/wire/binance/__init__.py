"""Binance: spot, cross margin, USD-M futures and portfolio margin. Builds requests, reads answers and frames."""
