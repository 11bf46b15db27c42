"""The kernel that the backend runs in: its packages, its log and its channels."""
