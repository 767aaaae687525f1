"""One control node among others: how it joins them, calls them, and what it does as their leader.

`joining` gets a new one in, `peers` carries Raft's messages, `roster` keeps names and addresses;
`terms` starts and ends what `leader` does. Used by control/main only.
"""
