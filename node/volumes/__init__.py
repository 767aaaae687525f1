"""The volumes of pods: directories filled before the first container starts, kept fresh, removed.

`files` says what is in a ConfigMap or Secret volume (pure), `projection` puts it on disk in one
step, `mounting` does the rest: emptyDir, hostPath, tmpfs.
"""
