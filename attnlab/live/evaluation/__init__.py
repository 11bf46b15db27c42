"""Values of a cell's expressions and names, found without running the cell."""
