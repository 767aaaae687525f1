"""What the leader decides before it asks etcd: `judging` one commit, `batches` of them as one
transaction. Pure modules; what etcd then made is `folding`'s matter.
"""
