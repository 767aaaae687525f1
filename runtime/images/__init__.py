"""The images that ship with Holdfast, built on the spot from the machine's static busybox.

`archive` writes an OCI archive from plain data (pure), `builtin` says what is in the pause and
demo images, `install` writes them to files and imports them into containerd.
"""
