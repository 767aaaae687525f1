"""One node's log: `unstable` (on its way to storage), `view` (reading both), `log` (the marks)."""
