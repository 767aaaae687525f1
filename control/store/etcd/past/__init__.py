"""What was: history and old revisions, as far as etcd and our own floor let them be read."""
