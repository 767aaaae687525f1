"""Routes of pods and services, the DNS address, and the kernel's switches they need.

`wanted` decides, `kernel` performs over netlink, `sysctls` sets the switches.
"""
