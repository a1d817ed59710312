"""Figures, by what they show."""
