"""What `describe` shows of each kind: pages of labels and values in kubectl's layout.

`pages.of` is the way in. A page is a value (`layout.Fields`) made from an object and what is
related to it; `layout.lines` turns it into text. `related` is the only module that asks the
cluster. Secrets show sizes, never values.
"""
