"""Figures of matplotlib: labelled axes with units, readable without colour vision."""
