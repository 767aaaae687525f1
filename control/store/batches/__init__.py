"""Many writes at once: what the store does for one write, field by field for all of them.

`columns` are their bytes, `creations` new objects in memory, `insertions` their rows in SQLite,
`checksums` the sums of their rows. What single writes need stays in `control/store`.
"""
