"""The tokens of `generate`: what each pass predicted, which came, and where the texts end."""
