# Conveniences for those who have make; ./hr is the entry that works everywhere.
.PHONY: demo test check bench lock
demo: ; @./hr demo
test: ; @./hr test
check: ; @./hr check
bench: ; @./hr bench

# For maintainers: pin the newest versions. Needs uv.
LOCK = uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
lock: ; cd requirements && $(LOCK) base.in -o base.txt && $(LOCK) dev.in -o dev.txt && $(LOCK) judges.in -o judges.txt
