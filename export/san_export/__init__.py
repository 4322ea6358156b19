"""A trained model as ONNX: encoder and decoder in standard operators, exact integers.

`onnx_encoder` and `onnx_decoder` build the graphs, `export_model` writes them to files,
`load_model` reads such a file and refuses anything that is not one, `verify_onnx`
compares them with the plain oracle.
"""

from san_export.decoder import onnx_decoder
from san_export.encoder import onnx_encoder
from san_export.files import export_model
from san_export.load import load_model, open_session
from san_export.verify import Report, verify_onnx

__all__ = [
    "Report",
    "export_model",
    "load_model",
    "onnx_decoder",
    "onnx_encoder",
    "open_session",
    "verify_onnx",
]
