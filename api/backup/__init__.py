"""Backup files: what a control node writes, what `backup inspect` and `backup restore` read.

`format` makes the bytes (the control node's side), `reading` takes them apart and misses no
flipped byte, no missing end and no file of another kind. The messages stand in
proto/holdfast/api/backup/v1. Where the objects come from and go to is the store's matter.
"""
