"""Statistics of bands, residuals and scores, without files and without torch."""
