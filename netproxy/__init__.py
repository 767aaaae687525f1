"""The proxy agent: service addresses, cluster DNS and pod routes on this machine.

Decisions are pure (`forwarding`, `iptables/`, `routes/wanted`, `dns/zone`, `dns/answers`); `agent`
follows the cluster and performs them. Nothing here needs the control plane to go on: rules and
routes live in the kernel, DNS in this process, and a snapshot on disk survives both.
"""
