"""What ccxt says, understood: its rows, and what its exceptions prove. Pure, and without importing ccxt."""
