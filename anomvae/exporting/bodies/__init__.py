"""Modules whose text an export for QGIS writes behind its model (`anomvae.exporting.script`).

They are for Python 3.9 and later, numpy and GDAL.  Imports from anomvae are names that the script
has, too, and declarations without a value are those of the model.
"""
