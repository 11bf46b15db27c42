"""What `make demo` opens."""
