"""Measurements that docs/performance.md quotes; run them with ``make bench``."""
