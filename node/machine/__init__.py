"""The pod machine: one per pod, synchronous and pure.

`pod.PodMachine.handle(event, now)` returns the instructions that follow; each instruction that
acts on the runtime ends as exactly one event. `pod.PodMachine.deadline()` says when to call again
with `Ticked`. Nothing here does I/O, reads a clock or draws a random number.
"""
