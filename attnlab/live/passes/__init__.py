"""Forward passes over edited texts: when they run, and how they are stopped."""
