"""The `drawthings` command. What it can do is in `parser`, one module each does it."""
