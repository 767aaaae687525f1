"""The streams between the control node and node agents: beats, verdicts, tickets, dialled streams.

`sessions.Sessions` holds the open sessions and judges who is lost, `streams.Streams` joins a
client's logs or exec to the stream its node dials back. What happens to the pods of a lost node
is a controller's business: here only its Node is marked.
"""
