"""Arrays of pixels, without files: grids, tiles, bands, dates, covariates, views."""
