"""The algorithm of QGIS's Processing toolbox."""

from __future__ import annotations

from typing import Any

from .scoring import Model, ScriptError
from .writing import Choices, numbers_in, score_raster, style_of


def algorithm_of(model: Model) -> type:  # noqa: C901 - one class, whose methods are QGIS's
    """Return the class of the algorithm; an ImportError without QGIS.

    It is made in a function, as QGIS takes any class of a script that is an algorithm.
    """
    from qgis.core import (
        QgsProcessingAlgorithm,
        QgsProcessingException,
        QgsProcessingLayerPostProcessorInterface,
        QgsProcessingParameterBoolean,
        QgsProcessingParameterNumber,
        QgsProcessingParameterRasterDestination,
        QgsProcessingParameterRasterLayer,
        QgsProcessingParameterString,
    )

    number = QgsProcessingParameterNumber
    parameters_of = (
        lambda: QgsProcessingParameterRasterLayer("INPUT", "Raster layer"),
        lambda: QgsProcessingParameterString(
            "BANDS",
            "Numbers of the model's bands, as in 1,2,5-8 (empty: by name, or all)",
            optional=True,
        ),
        lambda: QgsProcessingParameterBoolean(
            "AS_TRAINED", "Values are stored as in the training files", False
        ),
        lambda: number("THRESHOLD", "Threshold", number.Double, model.threshold),
        lambda: QgsProcessingParameterRasterDestination("SCORES", "Scores"),
        lambda: QgsProcessingParameterRasterDestination("FLAGS", "Flags"),
    )

    class Style(QgsProcessingLayerPostProcessorInterface):
        """Styles a layer when it is added."""

        def __init__(self, path: str) -> None:
            super().__init__()
            self.path = path

        def postProcessLayer(self, layer: Any, context: Any, feedback: Any) -> None:  # noqa: ANN401
            layer.loadNamedStyle(self.path)
            layer.triggerRepaint()

    class ScoreRaster(QgsProcessingAlgorithm):
        """Scores a raster layer."""

        def createInstance(self) -> ScoreRaster:
            return ScoreRaster()

        def name(self) -> str:
            return f"anomvae_{model.facts['ANOMVAE_ID']}"

        def displayName(self) -> str:
            return f"Score by {model.facts['ANOMVAE_NAME']}"

        def group(self) -> str:
            return "anomvae"

        def groupId(self) -> str:
            return "anomvae"

        def shortHelpString(self) -> str:
            names = ", ".join(band.name for band in model.bands)
            return (
                f"{model.facts['ANOMVAE_MODEL']} {model.facts['ANOMVAE_SCORE']}. Pixels above "
                f"{model.threshold:.6g} are flagged. Bands, in this order: {names}."
            )

        def initAlgorithm(self, configuration: Any = None) -> None:  # noqa: ANN401
            for parameter in parameters_of:
                self.addParameter(parameter())

        def processAlgorithm(
            self,
            parameters: Any,  # noqa: ANN401
            context: Any,  # noqa: ANN401
            feedback: Any,  # noqa: ANN401
        ) -> dict[str, Any]:
            layer = self.parameterAsRasterLayer(parameters, "INPUT", context)
            if layer is None or layer.providerType() != "gdal":
                raise QgsProcessingException("The layer is no file that GDAL opens. Save it first.")
            outputs = {
                name: self.parameterAsOutputLayer(parameters, name, context)
                for name in ("SCORES", "FLAGS")
            }

            def going_on(share: float) -> bool:
                feedback.setProgress(100 * share)
                return not feedback.isCanceled()

            try:
                choices = Choices(
                    numbers_in(self.parameterAsString(parameters, "BANDS", context)),
                    self.parameterAsBoolean(parameters, "AS_TRAINED", context),
                    self.parameterAsDouble(parameters, "THRESHOLD", context),
                )
                paths = outputs["SCORES"], outputs["FLAGS"]
                scored = score_raster(model, layer.source(), *paths, choices, going_on)
            except (ScriptError, OSError) as error:
                raise QgsProcessingException(str(error)) from error
            if scored is None:
                return {}
            feedback.pushInfo(str(scored))
            self.styles = [styled(path, context) for path in outputs.values()]
            return {**outputs, "VALID": scored.valid, "FLAGGED": scored.flagged}

    def styled(path: str, context: Any) -> Style:  # noqa: ANN401
        """Return what styles a file when QGIS adds it; QGIS keeps no reference to it."""
        style = Style(style_of(path))
        if context.willLoadLayerOnCompletion(path):
            context.layerToLoadOnCompletionDetails(path).setPostProcessor(style)
        return style

    return ScoreRaster
