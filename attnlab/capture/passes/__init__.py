"""Records single forward passes, and creates their outcomes."""
