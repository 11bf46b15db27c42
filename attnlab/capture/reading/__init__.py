"""Records the arguments of each attention call."""
