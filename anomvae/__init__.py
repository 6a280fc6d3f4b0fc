"""Find unusual pixels in multi-band rasters."""
