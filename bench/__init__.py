"""Measurements that the README quotes; run them with ``make bench``."""
