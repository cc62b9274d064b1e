"""Queue workers: plan, fit and assemble."""
