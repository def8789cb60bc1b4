"""A file gives what the network gives, for any number of pictures, or it is not left."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from benchmark import durable
from benchmark.errors import UserError
from benchmark.runner import export
from benchmark.runner.export import Embedding
from benchmark.runner.interfaces import Context
from tests.benchmark.runner import hand
from tests.benchmark.runner.hand import HOW, MEAN, SIZE, STD, Hand


def by_hand(method: Hand, pictures: Tensor) -> NDArray[np.float64]:
    """Normalise, convolve, average, mix; and once more for the mirror image."""
    weight, bias = (part.detach().double() for part in method.maps.parameters())
    mean, std = (torch.tensor(part, dtype=torch.float64).reshape(3, 1, 1) for part in (MEAN, STD))

    def one(pixels: Tensor) -> Tensor:
        maps = functional.conv2d((pixels.double() - mean) / std, weight, bias, stride=4).clamp(min=0)
        return maps.mean((2, 3)) @ method.mix.weight.detach().double().T

    total = one(pictures) + one(pictures.flip(3)) if method.needs.flip == "sum" else one(pictures)
    return np.asarray(total.numpy())


def run_onnx(path: Path, pictures: Tensor) -> NDArray[np.float32]:
    session = pytest.importorskip("onnxruntime").InferenceSession(path, providers=["CPUExecutionProvider"])
    found: NDArray[np.float32] = session.run(None, {"pictures": pictures.numpy()})[0]
    return found


def run_torchscript(path: Path, pictures: Tensor) -> NDArray[np.float32]:
    with export._jit_warnings():
        return np.asarray(export._JIT.load(path)(pictures).numpy())


WAYS: list[Any] = [(export.onnx, run_onnx), (export.torchscript, run_torchscript)]


@pytest.mark.parametrize(("write", "run"), WAYS)
def test_a_file_is_the_network_with_its_normalisation_and_mirror(write: Any, run: Any, tmp_path: Path) -> None:  # noqa: ANN401
    pytest.importorskip("onnxscript")
    method, path = Hand(flip="sum").train(), tmp_path / "new" / "hand.bin"
    trained = hand.trained(method)
    method.train()
    said = write(trained, path)
    assert method.training
    assert next(method.parameters()).requires_grad
    for number in (1, 2, 7):
        pictures = hand.pixels(number, seed=number)
        np.testing.assert_allclose(run(path, pictures), by_hand(method, pictures), atol=1e-5)
    assert durable.read_json(export.record(path)) == said
    assert said["file_sha256"] == durable.sha256(path.read_bytes())
    assert said["greatest_difference"] <= said["atol"] == export.ATOL
    wanted = {"size": list(SIZE), "normalise": [list(MEAN), list(STD)], "flip": "sum", "dimensions": 5}
    assert wanted.items() <= said.items()
    assert said["weights_sha256"] == "a" * 64
    assert sorted(file.name for file in path.parent.iterdir()) == ["hand.bin", "hand.bin.json"]


def test_an_onnx_file_says_what_it_wants_and_holds_no_head(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    path = tmp_path / "hand.onnx"
    export.onnx(hand.trained(Hand()), path)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert said["luxreid.input"] == export.EXPECTED
    assert json.loads(said["luxreid.size"]) == list(SIZE)
    (given,) = model.graph.input
    shape = [place.dim_param or place.dim_value for place in given.type.tensor_type.shape.dim]
    assert shape == ["batch", 3, *SIZE]
    weights = {tensor.name for tensor in model.graph.initializer}
    assert {"method.maps.weight", "method.maps.bias"} <= weights
    assert not any("head" in name or "scale" in name for name in weights)
    assert not any(word in path.read_bytes() for word in (b".py", b"head", b"scale"))


def test_a_torchscript_file_holds_no_head(tmp_path: Path) -> None:
    path = tmp_path / "hand.pt"
    export.torchscript(hand.trained(Hand()), path)
    extra = {"luxreid.json": ""}
    with export._jit_warnings():
        loaded = export._JIT.load(path, _extra_files=extra)
    graph = loaded.inlined_graph  # what it is asked for lives no longer than it
    constants = [node for node in graph.findAllNodes("prim::Constant") if node.hasAttribute("value")]
    shapes = [tuple(node.t("value").shape) for node in constants if node.kindOf("value") == "t"]
    assert (4, 3, 4, 4) in shapes
    assert (100, 5) not in shapes
    assert not list(loaded.parameters())
    assert json.loads(extra["luxreid.json"])["luxreid.input"] == export.EXPECTED


def test_a_parameter_that_only_trains_is_found_in_a_graph() -> None:
    network = Embedding(Hand(), HOW)
    names = ["method.maps.weight", "method.head.weight", "val_3"]
    graph = SimpleNamespace(initializer=[SimpleNamespace(name=name) for name in names])
    with pytest.raises(RuntimeError, match=r"method\.head\.weight, which embedding does not use"):
        export._refuse_unused(SimpleNamespace(graph=graph), network)


class Counting(Hand):
    """Depends on how many pictures there are, which a trace takes for fixed."""

    def embed(self, images: Tensor, context: Context) -> Tensor:
        return super().embed(images, context) * float(len(images))


class Branching(Hand):
    """Goes a way that the pictures decide."""

    def embed(self, images: Tensor, context: Context) -> Tensor:
        if images.mean() > 0.1234:
            return super().embed(images, context)
        return super().embed(-images, context)


class Viewing(Hand):
    """Takes the camera as nothing, and adds what it sees in the raw picture."""

    def embed(self, images: Tensor, context: Context) -> Tensor:
        raw = context.views["raw"].mean((1, 2, 3))[:, None]
        return super().embed(images, context) + raw + context.modality[:, None] + 10 * context.night[:, None]


def test_a_file_that_differs_is_not_left(tmp_path: Path) -> None:
    path = tmp_path / "hand.pt"
    with pytest.raises(UserError, match=r"hand.pt: the file's vectors differ from torch's by .* not left"):
        export.torchscript(hand.trained(Counting()), path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("answer", [lambda x: x + 1e-2, lambda x: x * float("nan"), lambda x: x[:, :-1]])
def test_what_is_no_vector_of_the_network_is_refused(answer: Any, tmp_path: Path) -> None:  # noqa: ANN401
    network, path = Embedding(Hand(), HOW), tmp_path / "x"
    with pytest.raises(UserError, match=r"differ from torch's by|the file gives"):
        export._left(b"x", path, {}, network, lambda pictures: answer(network.wanted(pictures)))
    assert not path.exists()


def test_differences_are_measured_by_the_largest_number() -> None:
    network = Embedding(Hand(), HOW)
    with torch.no_grad():
        network.method.mix.weight *= 1000  # type: ignore[operator, union-attr]
    assert network.wanted(export._pictures(network, 1)).abs().max() > 10

    def off(pictures: Tensor) -> Tensor:
        wanted = network.wanted(pictures)
        return wanted + 0.5 * export.ATOL * wanted.abs().max()

    assert export._compared(network, off)[0] == pytest.approx(0.5 * export.ATOL, rel=1e-2)


def test_what_torch_cannot_write_down_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    with pytest.raises(UserError, match="Branching cannot be exported: "):
        export.onnx(hand.trained(Branching()), tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


def test_views_and_context_are_those_of_a_lone_visible_picture(tmp_path: Path) -> None:
    method, pictures = Viewing(views=("raw",)), hand.pixels(3)
    export.torchscript(hand.trained(method), tmp_path / "x.pt")
    wanted = by_hand(method, pictures) + pictures.mean((1, 2, 3)).numpy()[:, None] + 1 - 10
    np.testing.assert_allclose(run_torchscript(tmp_path / "x.pt", pictures), wanted, atol=1e-5)


def test_a_network_that_wants_the_camera_is_refused(tmp_path: Path) -> None:
    for write in (export.onnx, export.torchscript):
        with pytest.raises(UserError, match="Hand embeds with the camera"):
            write(hand.trained(Hand(cameras=True)), tmp_path / "x")


def test_a_missing_extra_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def absent(name: str) -> None:
        raise ImportError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(export, "import_module", absent)
    with pytest.raises(UserError, match=r"onnx is not installed: pip install 'luxreid\[onnx\]'"):
        export.onnx(hand.trained(Hand()), tmp_path / "x.onnx")
