"""Plain data of the built-in types, and operations on it that stay within a budget."""
