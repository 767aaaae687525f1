"""The shell around the pod machines on a real node: it carries out instructions on a runtime.

`executor` performs instructions and answers each with one event, `watcher` turns the runtime's
events into the machines', `agent` joins them with the uplink. No decision about a pod is made
here.
"""
