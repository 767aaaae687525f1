"""What lies in etcd: under which keys (`layout`), as which bytes (`values`), and how its revisions
become ours (`revisions`). Pure modules; nothing here decides what is written.
"""
