"""A trained network as one file for other programs, ONNX or TorchScript, which is run and compared before it is left.

Pictures go in as numbers from 0 to 1, brought to the network's size; normalisation, and where the method asks for it
the mirror image, are part of the file. What only trains, such as heads, is not.
"""

import copy
import io
import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from benchmark import durable
from benchmark.errors import UserError
from benchmark.runner import extract, flops
from benchmark.runner.extract import How, Trained
from benchmark.runner.interfaces import Context, Method

SCHEMA = "export/1"
ATOL = 1e-4  # times the largest number of a vector, where that is more than 1
BATCHES = (1, 4)  # that a file is tried with
EXTRAS = ("onnx", "onnxruntime", "onnxscript")
INPUT, OUTPUT = "pictures", "vectors"
EXPECTED = "float32, batch x 3 x height x width, RGB from 0 to 1 (bytes divided by 255)"

Run = Callable[[Tensor], Tensor]

_JIT: Any = torch.jit  # without types


class Embedding(nn.Module):
    """What a file computes: pictures from 0 to 1 in, vectors out; no camera and no time is known."""

    def __init__(self, method: Method, how: How) -> None:
        super().__init__()
        if method.needs.cameras:
            raise UserError(f"{type(method).__name__} embeds with the camera, which a file of pictures alone has not")
        self.method = copy.deepcopy(method).cpu().float().eval().requires_grad_(False)
        self.how, self.mirrored = replace(how, precision="fp32"), method.needs.flip == "sum"
        mean, std = (torch.tensor(part).reshape(3, 1, 1) for part in how.normalise)
        self.mean, self.std = nn.Buffer(mean), nn.Buffer(std)
        self.eval()

    def forward(self, pictures: Tensor) -> Tensor:
        """Embed."""
        found = self._one(pictures)
        return found + self._one(pictures.flip(3)) if self.mirrored else found

    def wanted(self, pictures: Tensor) -> Tensor:
        """Embed as `bench extract` does, which has no part in what is exported: the file is held against it."""
        return extract.vectors(self.method, pictures, known(pictures, self.how), self.how)

    def _one(self, pictures: Tensor) -> Tensor:
        views = dict.fromkeys(self.method.needs.views, pictures)
        context = replace(known(pictures, self.how), views=views)
        return self.method.embed((pictures - self.mean) / self.std, context).float()


def known(pictures: Tensor, how: How) -> Context:
    """Say what is known of pictures alone: that they are visible."""
    unknown = pictures.new_full((pictures.shape[0],), -1, dtype=torch.long)
    visible = how.modalities.index("visible") if "visible" in how.modalities else -1
    return Context(unknown, torch.full_like(unknown, visible), unknown)


def onnx(trained: Trained, path: Path) -> dict[str, Any]:
    """Write an ONNX file whose batch is free, with a record beside it; it is run by onnxruntime first."""
    parts = _extras()
    network = Embedding(trained.method, trained.how)
    model = _onnx_model(network)
    _refuse_unused(model, network)
    about = _about(trained, "onnx") | {name: parts[name].__version__ for name in ("onnx", "onnxruntime")}
    for key, value in _described(about).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    data = model.SerializeToString()
    session = parts["onnxruntime"].InferenceSession(data, providers=["CPUExecutionProvider"])
    return _left(data, path, about, network, lambda pictures: _onnx_run(session, pictures))


def torchscript(trained: Trained, path: Path) -> dict[str, Any]:
    """Write a TorchScript file that needs no Python, with a record beside it; it is loaded and run first."""
    network, about = Embedding(trained.method, trained.how), _about(trained, "torchscript")
    buffer = io.BytesIO()
    with _jit_warnings(), _one_line(trained.method, RuntimeError):
        traced = _JIT.trace(network, _pictures(network, 2), check_trace=False)
        # Freezing drops what the graph does not use. No rewriting of numbers: the file is to give the same ones.
        frozen = _JIT.freeze(traced, optimize_numerics=False)
        _JIT.save(frozen, buffer, _extra_files={"luxreid.json": json.dumps(_described(about))})
        loaded = _JIT.load(io.BytesIO(buffer.getvalue()))
    return _left(buffer.getvalue(), path, about, network, loaded)


def record(path: Path) -> Path:
    """Say where the record of an exported file lies."""
    return path.with_name(f"{path.name}.json")


def _extras() -> dict[str, ModuleType]:
    try:
        return {name: import_module(name) for name in EXTRAS}
    except ImportError as error:
        missing = f"needs {', '.join(EXTRAS)}, and {error.name} is not installed"
        raise UserError(f"bench weights --onnx: {missing}: pip install 'luxreid[onnx]'") from None


def _onnx_model(network: Embedding) -> Any:  # noqa: ANN401
    """Let torch translate the graph; 2 pictures, for 0 and 1 would be taken for fixed."""
    program: Any
    with _one_line(network.method, torch.onnx.OnnxExporterError), redirect_stdout(io.StringIO()):
        program = torch.onnx.export(
            *(network, (_pictures(network, 2),)),
            dynamo=True,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes={INPUT: {0: torch.export.Dim("batch", min=1)}},
            verbose=False,
        )
    model = program.model_proto
    # What torch notes beside the graph: every parameter there ever was, and where on this machine the code lies.
    for part in (model.graph, *model.graph.node, *(node for function in model.functions for node in function.node)):
        del part.metadata_props[:]
    return model


def _onnx_run(session: Any, pictures: Tensor) -> Tensor:  # noqa: ANN401
    return torch.from_numpy(session.run([OUTPUT], {INPUT: pictures.numpy()})[0])


def _refuse_unused(model: Any, network: Embedding) -> None:  # noqa: ANN401
    """Make sure that no parameter which embedding does not read is in the file."""
    used = {f"method.{name}" for name in flops.used(network.method, network.how.size)}
    every = {name for name, _ in network.named_parameters()}
    idle = sorted({tensor.name for tensor in model.graph.initializer} & (every - used))
    if idle:
        raise RuntimeError(f"the exported graph holds {idle[0]}, which embedding does not use")


def _left(data: bytes, path: Path, about: dict[str, Any], network: Embedding, run: Run) -> dict[str, Any]:
    """Compare the file's bytes with torch, and only then leave them, the record last."""
    difference, dimensions = _compared(network, run)
    if not difference <= ATOL:
        raise UserError(
            f"{path}: the file's vectors differ from torch's by {difference:.2g}, more than {ATOL:g}; not left"
        )
    about |= {"dimensions": dimensions, "atol": ATOL, "greatest_difference": difference, "batches": list(BATCHES)}
    about |= {"file": path.name, "file_sha256": durable.sha256(data)}
    record(path).unlink(missing_ok=True)
    durable.write_bytes(path, data)
    durable.write_json(record(path), about)
    return about


@torch.no_grad()
def _compared(network: Embedding, run: Run) -> tuple[float, int]:
    """Give the greatest difference of any number, in units of the largest one where that is over 1."""
    greatest = 0.0
    for batch in BATCHES:
        pictures = _pictures(network, batch)
        wanted, got = network.wanted(pictures), run(pictures)
        if got.shape != wanted.shape:
            raise UserError(
                f"export: the file gives {tuple(got.shape)} for {batch} pictures, torch {tuple(wanted.shape)}"
            )
        far = float((got - wanted).abs().max()) / max(1.0, float(wanted.abs().max()))
        greatest = max(greatest, far) if far == far else float("nan")
    return greatest, int(wanted.shape[1])


def _pictures(network: Embedding, number: int) -> Tensor:
    """Draw pictures of noise: every network sees something in them."""
    generator = torch.Generator().manual_seed(number)
    return torch.rand(number, 3, *network.how.size, generator=generator)


def _about(trained: Trained, kind: str) -> dict[str, Any]:
    """Say what the file is and what it wants."""
    needs, how = trained.method.needs, trained.how
    return {
        "schema": SCHEMA,
        "format": kind,
        "method": str(trained.facts.get("method", type(trained.method).__name__)),
        "input": EXPECTED,
        "size": list(how.size),
        "resample": how.resample,
        "normalise": [list(part) for part in how.normalise],
        "flip": needs.flip,
        "score": needs.score,
        "weights_sha256": trained.facts.get("ckpt_sha256"),
        "torch": torch.__version__,
    }


def _described(about: dict[str, Any]) -> dict[str, str]:
    """Give what a file says of itself, as texts."""
    return {f"luxreid.{name}": value if isinstance(value, str) else json.dumps(value) for name, value in about.items()}


@contextmanager
def _one_line(method: Method, kind: type[Exception]) -> Iterator[None]:
    """Turn what torch says of a network that it cannot write down into one line."""
    try:
        yield
    except kind as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise UserError(
            f"{type(method).__name__} cannot be exported: {lines[-1] if lines else kind.__name__}"
        ) from error


@contextmanager
def _jit_warnings() -> Iterator[None]:
    """Pass over two warnings: that TorchScript is deprecated, which whoever asks for it knows, and of fixed numbers.

    What a trace takes for fixed is the size, which is; that the batch is free is tried before the file is left.
    """
    with warnings.catch_warnings():
        for kind in (FutureWarning, DeprecationWarning):
            warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is deprecated", kind)
        warnings.simplefilter("ignore", _JIT.TracerWarning)
        yield
