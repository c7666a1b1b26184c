"""Fields, functions of points (N, 3) -> (N,) negative inside: neural ones, and tools for slopes."""

from meshlearn.fields import analytic, profiles
from meshlearn.fields.calculus import eikonal_loss, field_gradient, lipschitz_estimate
from meshlearn.fields.checkpoint import load_field, save_field
from meshlearn.fields.deepsdf import DeepSDF
from meshlearn.fields.hashgrid import HashGrid
from meshlearn.fields.neural import NeuralField, NonFiniteField
from meshlearn.fields.occupancy import Occupancy
from meshlearn.fields.siren import SIREN

__all__ = [
    "SIREN",
    "DeepSDF",
    "HashGrid",
    "NeuralField",
    "NonFiniteField",
    "Occupancy",
    "analytic",
    "eikonal_loss",
    "field_gradient",
    "lipschitz_estimate",
    "load_field",
    "profiles",
    "save_field",
]
