"""Training of Sparsely Activated Networks: torch models, data, fits, integer kernels."""

from importlib.util import find_spec

from san_stream.errors import MissingExtraError

if find_spec("torch") is None:
    raise MissingExtraError("torch", "train", "training")

from san_training.activations import ACTIVATIONS, activate
from san_training.data import Recording, read_recording
from san_training.fitting import Epoch, FitResult, FitSettings, fit
from san_training.init import INITS
from san_training.model import Reconstruction, SAN1d
from san_training.paper import PaperResult, run_paper_protocol
from san_training.quality import ModelQuality
from san_training.quantising import QuantisationReport, quantise
from san_training.train import TrainSettings, train_model

__all__ = [
    "ACTIVATIONS",
    "INITS",
    "Epoch",
    "FitResult",
    "FitSettings",
    "ModelQuality",
    "PaperResult",
    "QuantisationReport",
    "Reconstruction",
    "Recording",
    "SAN1d",
    "TrainSettings",
    "activate",
    "fit",
    "quantise",
    "read_recording",
    "run_paper_protocol",
    "train_model",
]
