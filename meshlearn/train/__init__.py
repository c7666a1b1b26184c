"""Training on data sets: one loop for every model, and the data that shapes are learned from."""

from meshlearn.run_folder import NonFiniteLoss
from meshlearn.train.dataset import ShapeSet, open_data
from meshlearn.train.loop import TrainResult, train
from meshlearn.train.outcome import EmptyTraining
from meshlearn.train.prepare import prepare
from meshlearn.train.prepared import PreparedShape, PrepareOptions, load_prepared, prepare_mesh
from meshlearn.train.training_stages import Hooks, Stage
from meshlearn.train.weights import load_weights, read_settings

__all__ = [
    "EmptyTraining",
    "Hooks",
    "NonFiniteLoss",
    "PrepareOptions",
    "PreparedShape",
    "ShapeSet",
    "Stage",
    "TrainResult",
    "load_prepared",
    "load_weights",
    "open_data",
    "prepare",
    "prepare_mesh",
    "read_settings",
    "train",
]
