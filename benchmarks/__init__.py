"""How fast hedgerow is. `./hr bench` runs these; docs/reference/benchmarks.md says what each number means."""
