"""All objects of a store at one revision, out of any engine and into a new store.

`slices` reads through the Engine protocol while the engine works on; `writing` makes the data
directory of a new cluster of one member from them. How a backup file looks is api/backup's
matter: here are rows.
"""
