"""The texts that a cell's model calls read: their expressions, edits, limits and origins."""
