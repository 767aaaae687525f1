"""Runs the scripts of the folder `interaction`: whole members, their network and their disks.

`commands` gives each command its meaning, `environment` moves messages and work about, `members`
is one member with its log and its state machine, `output` what a command prints.
"""
