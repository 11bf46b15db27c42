"""The state of a kernel's backend: traces, texts of cells, problems, clients and selections."""
