"""Files that are no exported model are refused, each with its reason."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from san_export import load_model, onnx_decoder, onnx_encoder, open_session, verify_onnx
from san_export.metadata import MAX_MODEL_BYTES
from san_stream.errors import ModelError
from san_stream.kernels import Kernel, Kernels, KernelSet

KERNELS = Kernels((KernelSet((Kernel((1, 4, -5), 3),), 4, 2),), Fraction(360))


@pytest.fixture
def model():
    return onnx.load_from_string(onnx_encoder(KERNELS))


def loop_body(model):
    return next(n for n in model.graph.node if n.op_type == "Loop").attribute[0].g


def refuse(model, message):
    with pytest.raises(ModelError, match=message) as caught:
        load_model(model.SerializeToString())
    assert "\n" not in str(caught.value)


def test_a_file_is_read(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(onnx_encoder(KERNELS))
    assert load_model(path) == load_model(str(path)) == load_model(path.read_bytes())


@pytest.mark.parametrize("data", [b"\xff" * 40, b"not a model", b"\x08\x09\x3a\xff\x01"])
def test_other_bytes(data):
    with pytest.raises(ModelError, match=r"not an ONNX model|has format None"):
        load_model(data)


def test_a_cut_file(tmp_path):
    data = onnx_encoder(KERNELS)
    for size in range(0, len(data), 97):
        with pytest.raises(ModelError):
            load_model(data[:size])


def test_too_large(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"\0" * (MAX_MODEL_BYTES + 1))
    with pytest.raises(ModelError, match=r"m\.onnx: more than 1048576 bytes"):
        load_model(path)


def test_a_model_of_another_make(model):
    del model.metadata_props[:]
    refuse(model, "has format None, not 'san-stream-onnx'")


def test_a_later_version(model):
    next(e for e in model.metadata_props if e.key == "version").value = "2"
    refuse(model, "has version '2', this release reads 1")


def test_other_operator_sets(model):
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    refuse(model, "operator sets .*com.microsoft")


def test_foreign_operator(model):
    model.graph.node.append(helper.make_node("Exp", ["samples"], ["y"]))
    refuse(model, "operator 'Exp' is not one of an exported model")


def test_foreign_operator_in_a_loop(model):
    loop_body(model).node.append(helper.make_node("RandomNormal", [], ["y"], shape=[1]))
    refuse(model, "operator 'RandomNormal'")


def test_operator_of_a_foreign_domain(model):
    model.graph.node.append(helper.make_node("Add", ["samples"], ["y"], domain="ai.evil"))
    refuse(model, "operator 'ai.evil.Add'")


def test_functions(model):
    model.functions.append(
        helper.make_function("f", "g", [], [], [], [helper.make_opsetid("", 18)])
    )
    refuse(model, "has functions or training graphs")


@pytest.mark.parametrize("where", ["graph", "loop"])
@pytest.mark.parametrize("how", ["location", "entry"])
def test_external_data(model, where, how):
    tensor = (model.graph if where == "graph" else loop_body(model)).initializer[0]
    if how == "location":
        tensor.data_location = TensorProto.EXTERNAL
    else:
        tensor.external_data.add(key="location", value="/etc/passwd")
    refuse(model, "lies outside the file")


def test_external_data_in_an_attribute():
    model = onnx.load_from_string(onnx_decoder(KERNELS))
    node = next(n for n in model.graph.node if n.op_type == "ConstantOfShape")
    node.attribute[0].t.data_location = TensorProto.EXTERNAL
    refuse(model, "lies outside the file")


def test_lists_of_tensors(model):
    tensor = numpy_helper.from_array(np.zeros(1))
    model.graph.node[0].attribute.append(helper.make_attribute("extra", [tensor]))
    refuse(model, "holds a list of tensors")


def test_sparse_tensors(model):
    model.graph.sparse_initializer.add()
    refuse(model, "has sparse tensors")


def test_a_broken_graph(model):
    model.graph.node[0].input[0] = "nowhere"
    refuse(model, "not a valid ONNX model")


def test_a_graph_that_onnxruntime_cannot_run():
    """Valid by the standard, but onnxruntime has no Abs of bfloat16."""
    model = onnx.load_from_string(onnx_decoder(KERNELS))
    del model.graph.node[:], model.graph.initializer[:], model.graph.output[:]
    kind = TensorProto.BFLOAT16
    model.graph.input.append(helper.make_tensor_value_info("x", kind, [1]))
    model.graph.node.append(helper.make_node("Abs", ["x"], ["y"]))
    model.graph.output.append(helper.make_tensor_value_info("y", kind, [1]))
    data = model.SerializeToString()
    load_model(data)
    with pytest.raises(ModelError, match="onnxruntime refuses the ONNX model"):
        open_session(data)


@pytest.mark.parametrize(
    ("key", "text"), [("set", "one"), ("sample_range", "[1]"), ("sample_range", "{"), ("set", "9")]
)
def test_damaged_metadata(model, key, text):
    next(e for e in model.metadata_props if e.key == key).value = text
    with pytest.raises(ModelError, match=r"damaged metadata|kernel set 9"):
        verify_onnx(model.SerializeToString(), onnx_decoder(KERNELS), KERNELS, [])
