"""Backups on the command line: `saving` from the control node to a file, `figures` of a file.

Restoring is a program of the control node's (`holdfast.control.restore`), started by the verb.
"""
