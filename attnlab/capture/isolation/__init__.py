"""Copies of a model for passes that attnlab makes, and what keeps the user's objects unchanged."""
