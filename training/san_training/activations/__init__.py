"""The five sparse activations, in one and two dimensions, as functions and as modules.

An activation keeps some positions of a similarity as they are and sets the others to 0
(Bizopoulos & Koutsouris, "Sparsely Activated Networks", algorithms 1 to 3). Which
positions are kept is decided without a gradient, so the gradient is that of the kept
values: 1 there and 0 elsewhere. Ties go to the lower flat index. Every rule compares values
and never adds them, so it is exact in any type: float32, float64 or integers.

On a GPU no activation waits for the device: the number of operations follows from shapes
and settings alone, never from values.
"""

from san_training.activations.extrema import candidate_mask, extrema_mask
from san_training.activations.extrema_2d import candidate_mask_2d, extrema_mask_2d
from san_training.activations.masks import extrema_pool_mask, topk_mask
from san_training.activations.modules import (
    ACTIVATIONS,
    Activation,
    Extrema,
    ExtremaPoolIndices,
    Identity,
    ReLU,
    SparseActivation,
    TopKAbsolutes,
    activate,
    activation_mask,
    build_activation,
)

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Extrema",
    "ExtremaPoolIndices",
    "Identity",
    "ReLU",
    "SparseActivation",
    "TopKAbsolutes",
    "activate",
    "activation_mask",
    "build_activation",
    "candidate_mask",
    "candidate_mask_2d",
    "extrema_mask",
    "extrema_mask_2d",
    "extrema_pool_mask",
    "topk_mask",
]
