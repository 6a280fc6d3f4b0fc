"""The course of a training: ELBO, reconstruction and KL over the steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..detector.card import Training
from .axes import legend_above, line_style, panels, styled

Numbers = NDArray[np.float64]


@styled()
def history_figure(training: Training) -> Figure:
    """Draw how a training went, nats per pixel against optimiser steps.

    Parameters
    ----------
    training : Training
        Of a detector: ``detector.card.training``.

    Returns
    -------
    Figure
        Three panels: the evidence lower bound (ELBO), with minus the loss where its weights make it
        another number, and the ELBO of held-out pixels at the end; the mean error of the
        reconstruction; the KL.  Of a model file that lacks the last two, the loss alone.  Values
        are means of parts of the training, over the pixels in the loss.
    """
    centres = (np.arange(len(training.loss)) + 0.5) * training.steps / len(training.loss)
    loss = np.array(training.loss)
    if not training.kl:
        figure, (axes,) = panels(1)
        _line(axes, centres, loss, 0, _objective(training))
        return _finished(figure, (axes,), ("Loss",))
    reconstruction, kl = np.array(training.reconstruction), np.array(training.kl)
    figure, (bound, error, divergence) = panels(3)
    elbo, objective = -reconstruction - kl, f"\N{MINUS SIGN}{_objective(training)}"
    same = np.allclose(-loss, elbo, rtol=1e-4, atol=1e-4)
    _line(bound, centres, elbo, 0, f"ELBO = {objective}" if same else "ELBO")
    if not same:
        _line(bound, centres, -loss, 1, objective)
    if training.elbo is not None:
        end = ([training.steps], [training.elbo])
        bound.plot(*end, "D", color="black", label="ELBO, held-out pixels")
    _line(error, centres, reconstruction, 0)
    _line(divergence, centres, kl, 0)
    quantities = ("ELBO", "Reconstruction", "KL divergence")
    return _finished(figure, (bound, error, divergence), quantities)


def _line(axes: Axes, steps: Numbers, values: Numbers, kind: int, label: str = "_") -> None:
    style = line_style(kind) | ({} if len(steps) == 1 else {"marker": ""})
    axes.plot(steps, values, label=label, **style)


def _objective(training: Training) -> str:
    """Name the weights of the loss."""
    weights = [f"\N{GREEK SMALL LETTER BETA} = {training.beta:g}"]
    if training.warm_up:
        weights.append(f"warm-up {100 * training.warm_up:.0f} %")
    if training.free_bits:
        weights.append(f"free bits {training.free_bits:g} nats")
    return f"loss ({', '.join(weights)})"


def _finished(figure: Figure, made: Sequence[Axes], quantities: Sequence[str]) -> Figure:
    for axes, quantity in zip(made, quantities, strict=True):
        axes.set(xlabel="Optimiser step", ylabel=f"{quantity} (nats per pixel)")
        axes.set_xlim(left=0)
    legend_above(figure)
    return figure
