"""Find unusual pixels in multi-band rasters."""

__version__ = "0.1.0"
