"""The notebook that `make demo` opens."""
