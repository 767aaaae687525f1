"""What a pod's object means for a runtime: sandbox and container specifications. Pure.

Each module turns one part of a pod (environment, resources, name resolution, security) into our
runtime's plain data. What has to be fetched (ConfigMaps, Secrets, Services) comes in as arguments.
"""
