"""Tiny random models of every kind that attnlab claims to read, and what each really computes."""
