"""Fitting: from patches to rules, rounded."""
