"""The control node: store, API, controllers and scheduler in one process.

`main` builds the parts and joins them; imports go one way only, as `.importlinter` says: main →
rpc → controllers | scheduler → sessions → recorder → registry → access → cache → store.
"""
