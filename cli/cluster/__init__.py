"""`holdfast up` and `down`: a whole cluster on this machine, as child processes of one supervisor.

settings says what is wanted and where it lies, plan which processes that means, network which
namespaces; supervisor keeps the processes running, teardown removes what they leave. All parts
are separate programs with their own logs, so that killing one is a real test.
"""
