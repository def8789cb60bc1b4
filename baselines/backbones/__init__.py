"""Backbones: pictures in, one vector a picture out. A file of this folder is a family; adding one is adding a file.

A family has `NAMES` (what its backbones are called, and what timm calls their published weights: empty where there are
none), `make(name, size, stride, drop_path)` and `adapted(body, tensors)`: weights of another layout or size made to
fit.
"""

import pkgutil
from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from benchmark import durable
from benchmark.console import say
from benchmark.errors import UserError, nearest
from benchmark.runner import checkpoint, weights
from benchmark.runner.interfaces import Look, Triple, World

Tensors = dict[str, Tensor]
IMAGENET: tuple[Triple, Triple] = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
# What published files put before the names of a network, and the parts of theirs that no backbone has.
_BEFORE = ("module.", "backbone.", "base.", "body.")
_CLASSIFIERS = ("fc.", "head.", "classifier.")


class Backbone(nn.Module):
    """A network without its classifier: maps (B x C x h x w) or tokens out, and how they become one vector."""

    def __init__(
        self,
        name: str,
        body: nn.Module,
        dim: int,
        look: Look,
        pool: Callable[[Tensor], Tensor],
        normalise: tuple[Triple, Triple] = IMAGENET,
    ) -> None:
        super().__init__()
        self.name, self.body, self.dim, self.look, self._pool = name, body, dim, look, pool
        self.normalise = normalise  # the mean and deviation with which its published weights were made
        self.facts: Mapping[str, Any] = {"backbone": name}

    def forward(self, images: Tensor) -> Tensor:
        """Give maps or tokens."""
        found: Tensor = self.body(images)
        return found

    def pool(self, found: Tensor) -> Tensor:
        """Make one vector of maps or tokens."""
        return self._pool(found)


def mean_of_maps(maps: Tensor) -> Tensor:
    """Average over all places: global average pooling."""
    return maps.mean((2, 3))


def first_token(tokens: Tensor) -> Tensor:
    """Take the class token."""
    return tokens[:, 0]


def names() -> list[str]:
    """Name all backbones."""
    return sorted(_families())


def build(name: str, pretrained: str | bool, world: World, *, stride: int = 0, drop_path: float = 0.0) -> Backbone:
    """Make a backbone, and fill it where weights are asked for: `timm`, `street` or a file; False fills nothing."""
    families = _families()
    if name not in families:
        raise UserError(f"no backbone is called {name!r}; {nearest(name, sorted(families))}")
    family = families[name]
    backbone: Backbone = family.make(name, world.size, stride, drop_path)
    if pretrained == "timm":
        _fill(backbone, family, *_fetched(name, family.NAMES[name]))
    elif pretrained is not False:
        found = weights.read(weights.find(str(pretrained), name, world.weights), name)
        _fill(backbone, family, found.tensors, found.facts, str(found.path))
    return backbone


def _fill(backbone: Backbone, family: ModuleType, tensors: Tensors, facts: dict[str, Any], where: str) -> None:
    checkpoint.load_into(backbone.body, family.adapted(backbone.body, _plain(backbone.body, tensors)), where)
    backbone.facts = {**backbone.facts, **facts}


def _plain(body: nn.Module, tensors: Tensors) -> Tensors:
    """Name tensors as the body does, leave classifiers out, and count batches where older files do not."""
    found = {key: value for key, value in body.state_dict().items() if key.endswith("num_batches_tracked")}
    for name, value in tensors.items():
        for prefix in _BEFORE:
            name = name.removeprefix(prefix)
        if not name.startswith(_CLASSIFIERS):
            found[name] = value
    return found


def _fetched(name: str, published: str) -> tuple[Tensors, dict[str, Any], str]:
    """Fetch published weights through timm, which keeps them; what is fetched is said before."""
    if not published:
        raise UserError(f'pretrained = "timm": timm has no weights of {name}; allowed: "street", a file, or false')
    import timm
    from safetensors.torch import save

    about = timm.get_pretrained_cfg(published)
    where = (about.hf_hub_id or about.url) if about else "nowhere"
    say(f"pretrained: timm's {published}, from {where} (fetched once, then kept by timm)")
    try:
        tensors: Tensors = timm.create_model(published, pretrained=True, num_classes=0).state_dict()
    except (OSError, RuntimeError) as error:  # no network; a file that is cut
        raise UserError(f'pretrained = "timm": {published} cannot be fetched: {error}') from None
    digest = durable.sha256(save({key: value.contiguous() for key, value in tensors.items()}))
    return tensors, {"pretrain_id": f"timm/{published}", "pretrain_sha256": digest}, published


def _families() -> dict[str, ModuleType]:
    modules = [import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    return {name: module for module in modules for name in module.NAMES}
