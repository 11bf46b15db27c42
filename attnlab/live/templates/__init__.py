"""Chat templates and special tokens of tokenizers, rendered within a budget."""
