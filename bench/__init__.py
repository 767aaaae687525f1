"""The figures we claim. `bin/bench [NAME…]` runs each bench in a process of its own."""
