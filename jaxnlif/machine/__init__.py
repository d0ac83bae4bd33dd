"""On which devices, and by which kind of loop, something is computed."""
