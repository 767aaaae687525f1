"""Rules for pods and pod templates: defaults, containers, probes, volumes, placement, updates.

Pure package. `strategies` calls `defaults` and `spec`; templates of workloads go through the same
functions, so a pod and its template are judged alike.
"""
