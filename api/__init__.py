"""The HTTP front end. Decodes, but never trains: it runs where torch is not installed."""
