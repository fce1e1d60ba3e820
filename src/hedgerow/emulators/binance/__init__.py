"""Binance on loopback: spot, cross margin, USD-M futures and portfolio margin, REST and websockets, with faults."""
