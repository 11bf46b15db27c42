"""The text of a cell: how it is parsed, and where its characters are."""
