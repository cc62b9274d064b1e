"""Queue workers: fit and assemble."""
