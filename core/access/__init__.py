"""Who may do what: API keys, and what a key stands for."""
