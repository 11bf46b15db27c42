"""The programs behind the docs site and its pictures."""
