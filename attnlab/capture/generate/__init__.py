"""Records ``generate`` as it runs: every forward pass, combined into one recorded call."""
