"""How fast hedgerow is, by the numbers that it promises. `./hr bench` runs them; docs/reference/benchmarks.md explains them."""
