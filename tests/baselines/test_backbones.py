"""Backbones: cost, shapes, layers against slow twins, and weights that fit or are refused."""

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from baselines import backbones
from baselines.backbones import Backbone, resnet, swin, vit
from benchmark.errors import UserError
from benchmark.runner import weights
from benchmark.runner.interfaces import World

torch.set_num_threads(1)
SMALL = (64, 32)


def world(size: tuple[int, int] = SMALL, folder: Path = Path("weights")) -> World:
    return World({"one": 6}, 3, ("visible",), size, weights=folder)


def build(name: str, stride: int = 0, size: tuple[int, int] = SMALL, pretrained: str | bool = False) -> Backbone:
    torch.manual_seed(0)
    return backbones.build(name, pretrained, world(size), stride=stride).eval()


# The specification's table, measured there with torch's counter at 256 x 128.
COSTS = [
    ("resnet50", 1, 8.11),
    ("resnet50", 2, 5.34),
    ("resnet50_ibn_a", 1, 8.11),
    ("vit_base", 16, 22.68),
    ("vit_base", 12, 37.73),
    ("vit_small", 16, 5.86),
]


@pytest.mark.parametrize(("name", "stride", "gflops"), COSTS)
def test_a_forward_pass_costs_what_was_measured(name: str, stride: int, gflops: float) -> None:
    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
        backbones.build(name, False, world((256, 128)), stride=stride).eval()(torch.empty(1, 3, 256, 128))
    assert counter.get_total_flops() / 1e9 == pytest.approx(gflops, abs=0.005)


QUICK = [(name, 0) for name in backbones.names() if not name.startswith(("vit_base", "swin_small", "swin_base"))]


@pytest.mark.parametrize(("name", "stride"), [*QUICK, ("tiny", 2), ("resnet18", 1), ("vit_tiny", 12)])
def test_pictures_become_vectors_and_the_look_is_where_it_says(name: str, stride: int) -> None:
    made, seen = build(name, stride), list[Tensor]()
    made.look.module.register_forward_hook(lambda module, given, output: seen.append(output))
    with torch.no_grad():
        found = made(torch.rand(2, 3, *SMALL))
        assert made.pool(found).shape == (2, made.dim)
    if made.look.grid is None:
        assert seen[0].shape[:2] == (2, made.dim)
        assert seen[0].ndim == 4
        torch.testing.assert_close(made.pool(found), found.mean((2, 3)))
    else:
        rows, columns = made.look.grid
        assert seen[0].shape[0::2] == (2, made.dim)
        assert seen[0].shape[1] >= rows * columns + 1
        assert torch.equal(made.pool(found), found[:, 0])
    assert made.facts == {"backbone": name}


def test_the_last_stride_alone_makes_maps_twice_as_fine() -> None:
    pictures = torch.rand(1, 3, *SMALL)
    for name in ("tiny", "resnet18", "resnet50"):
        fine, coarse = build(name, 1), build(name, 2)
        assert fine(pictures).shape[2:] == tuple(2 * side for side in coarse(pictures).shape[2:])
        # The very same weights: what differs is the step.
        assert all(torch.equal(one, two) for one, two in zip(fine.parameters(), coarse.parameters(), strict=True))


def test_patches_overlap_by_what_the_stride_leaves() -> None:
    made = build("vit_tiny", 12)
    pictures = torch.rand(1, 3, *SMALL, requires_grad=True)
    assert made.look.grid == (5, 2)
    embedded = made.body.get_submodule("patch_embed")(pictures)
    assert embedded.shape[1] == 10
    torch.autograd.backward(embedded[0, 3].sum())  # second row of patches, second in it
    assert pictures.grad is not None
    touched = pictures.grad.abs().sum((0, 1)) > 0
    expected = torch.zeros(SMALL, dtype=torch.bool)
    expected[12:28, 12:28] = True
    assert torch.equal(touched, expected)


def test_half_of_the_channels_is_normalised_a_picture_the_other_over_the_batch() -> None:
    layer, maps = resnet.HalfInstance(4).double(), torch.randn(3, 4, 5, 2, dtype=torch.float64)
    found = layer(maps)

    def slow(values: list[float]) -> list[float]:
        mean = sum(values) / len(values)
        spread = sum((value - mean) ** 2 for value in values) / len(values)
        return [(value - mean) / math.sqrt(spread + 1e-5) for value in values]

    for channel in range(4):
        if channel < 2:
            expected = [number for row in range(3) for number in slow(maps[row, channel].flatten().tolist())]
        else:
            expected = slow(maps[:, channel].flatten().tolist())
        assert found[:, channel].flatten().tolist() == pytest.approx(expected)


def test_instance_normalisation_sits_where_pan_et_al_put_it() -> None:
    a, b = build("resnet50_ibn_a").body, build("resnet50_ibn_b").body
    halves = [name for name, part in a.named_modules() if isinstance(part, resnet.HalfInstance)]
    blocks = [f"layer{stage}.{place}.bn1" for stage, count in ((1, 3), (2, 4), (3, 6)) for place in range(count)]
    assert halves == blocks
    whole = [name for name, part in b.named_modules() if isinstance(part, nn.InstanceNorm2d)]
    assert whole == ["bn1", "layer1.2.act3.0", "layer2.3.act3.0"]


def test_a_constant_embedding_of_places_stays_constant() -> None:
    table = torch.full((1, 1 + 14 * 14, 4), 0.7)
    table[:, 0] = -5  # of the class token, which has no place
    resized = vit.placed(table, 1, (21, 10))
    assert resized.shape == (1, 211, 4)
    assert torch.equal(resized[:, :1], table[:, :1])
    torch.testing.assert_close(resized[:, 1:], torch.full((1, 210, 4), 0.7))


def test_resized_places_keep_above_and_left() -> None:
    rows, columns = torch.meshgrid(torch.arange(14.0), torch.arange(14.0), indexing="ij")
    table = torch.stack([rows, columns], -1).reshape(1, 196, 2)
    resized = vit.placed(table, 0, (16, 8)).reshape(16, 8, 2)
    assert (resized[1:, :, 0] > resized[:-1, :, 0]).all()
    assert (resized[:, 1:, 1] > resized[:, :-1, 1]).all()
    torch.testing.assert_close(resized[:, :, 0], resized[:, :1, 0].expand(16, 8), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(resized[:, :, 1], resized[:1, :, 1].expand(16, 8), rtol=1e-4, atol=1e-4)
    assert resized[8, 4].tolist() == pytest.approx([(8.5 / 16 * 14) - 0.5, (4.5 / 8 * 14) - 0.5], abs=0.05)


def test_places_that_fit_are_left_alone_and_places_that_are_no_square_refused() -> None:
    table = torch.rand(1, 1 + 128, 4)
    assert torch.equal(vit.placed(table, 1, (16, 8)), table)
    with pytest.raises(UserError, match="128 places"):
        vit.placed(table, 1, (21, 10))


def filled(made: Backbone, start: float = 0.0) -> dict[str, Tensor]:
    """Fill a network with numbers that are all different."""
    tensors = {}
    for place, (name, value) in enumerate(made.body.state_dict().items()):
        tensors[name] = torch.full_like(value, start + place)
    return tensors


@pytest.mark.parametrize("name", ["tiny", "resnet18", "resnet50_ibn_a", "resnet50_ibn_b", "vit_tiny", "swin_tiny"])
def test_what_bench_pretrain_wrote_is_what_the_next_one_begins_with(name: str, tmp_path: Path) -> None:
    made = build(name)
    made.body.load_state_dict(filled(made))
    digest = weights.write(tmp_path / f"{name}.safetensors", made, ["street-s0-day"], "street-pretrain")
    again = backbones.build(name, "street", world(folder=tmp_path))
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in made.state_dict().items())
    assert again.facts == {
        "backbone": name,
        "pretrain_id": "street-pretrain",
        "pretrain_sha256": digest,
        "pretrain_data": ["street-s0-day"],
    }


def test_a_published_file_fits_without_its_classifier_and_before_batches_were_counted(tmp_path: Path) -> None:
    tensors = {f"module.{name}": value for name, value in filled(build("resnet18"), 3).items()}
    old = {name: value for name, value in tensors.items() if not name.endswith("num_batches_tracked")}
    save_file(
        old | {"module.fc.weight": torch.ones(10, 512), "module.fc.bias": torch.ones(10)}, tmp_path / "r.safetensors"
    )
    made = build("resnet18", 1, pretrained=str(tmp_path / "r.safetensors"))
    assert torch.equal(made.body.state_dict()["conv1.weight"], tensors["module.conv1.weight"])
    assert made.body.state_dict()["bn1.num_batches_tracked"] == 0


def test_published_ibn_weights_fit_by_their_own_names(tmp_path: Path) -> None:
    for name in ("resnet50_ibn_a", "resnet50_ibn_b"):
        tensors, path = filled(build(name)), tmp_path / f"{name}.pth"
        theirs = {
            key.replace(".bn1.instance.", ".bn1.IN.")
            .replace(".bn1.batch.", ".bn1.BN.")
            .replace(".act3.0.", ".IN."): value
            for key, value in tensors.items()
        }
        assert set(theirs) != set(tensors)
        torch.save(theirs, path)
        found = build(name, pretrained=str(path)).body.state_dict()
        assert all(torch.equal(found[key], value) for key, value in tensors.items())


def test_a_square_vit_begins_a_tall_one(tmp_path: Path) -> None:
    square = build("vit_tiny", size=(224, 224))
    nn.init.constant_(square.body.get_parameter("pos_embed"), 0.25)
    save_file(square.body.state_dict(), tmp_path / "square.safetensors")
    made = build("vit_tiny", 12, pretrained=str(tmp_path / "square.safetensors"))
    torch.testing.assert_close(made.body.get_parameter("pos_embed"), torch.full((1, 11, 192), 0.25))
    assert torch.equal(made.body.get_parameter("cls_token"), square.body.get_parameter("cls_token"))


def test_a_swin_of_other_windows_begins_one_of_ours(tmp_path: Path) -> None:
    square = build("swin_tiny", size=(224, 224))
    save_file(square.body.get_submodule("network").state_dict(), tmp_path / "square.safetensors")
    made = build("swin_tiny", size=(256, 128), pretrained=str(tmp_path / "square.safetensors"))
    name = "network.layers.{}.blocks.0.attn.relative_position_bias_table"
    ours, theirs = made.body.state_dict(), square.body.state_dict()
    assert torch.equal(ours[name.format(0)], theirs[name.format(0)])
    # The last maps are 8 x 4: a window of 7 x 4, in which nothing is farther than 3 to the side.
    assert torch.equal(ours[name.format(3)].reshape(13, 7, 24), theirs[name.format(3)].reshape(13, 13, 24)[:, 3:10])
    assert torch.equal(ours["network.patch_embed.proj.weight"], theirs["network.patch_embed.proj.weight"])


def test_weights_that_do_not_fit_are_told_by_name(tmp_path: Path) -> None:
    tensors, path = filled(build("tiny")), tmp_path / "odd.safetensors"
    del tensors["stem.0.weight"]
    save_file(tensors | {"extra.thing": torch.ones(1)}, path)
    with pytest.raises(UserError) as caught:
        build("tiny", pretrained=str(path))
    assert all(word in str(caught.value) for word in ("odd.safetensors", "stem.0.weight", "extra.thing"))


@pytest.mark.parametrize(
    ("name", "stride", "said"),
    [
        ("resnet49", 0, "resnet50"),
        ("tiny", 3, "allowed: stride 0, 1 or 2"),
        ("resnet18", 12, "allowed: 1 or 2"),
        ("vit_tiny", 17, "allowed: 2 to 16"),
        ("vit_tiny", 1, "allowed: 2 to 16"),
        ("swin_tiny", 1, "write stride = 0"),
    ],
)
def test_what_cannot_be_built_is_one_line(name: str, stride: int, said: str) -> None:
    with pytest.raises(UserError, match=said):
        build(name, stride)


def test_pictures_smaller_than_a_patch_are_one_line() -> None:
    with pytest.raises(UserError, match="smaller than a patch"):
        build("vit_tiny", size=(64, 8))


@pytest.mark.parametrize("name", ["tiny", "resnet50_ibn_a"])
def test_timm_has_no_weights_of_our_own(name: str) -> None:
    with pytest.raises(UserError, match=f"timm has no weights of {name}"):
        build(name, pretrained="timm")


def test_every_published_name_is_one_that_timm_knows() -> None:
    import timm

    known = set(timm.list_pretrained())
    named = {name for family in (resnet, vit, swin) for name in family.NAMES.values() if name}
    assert named <= known


def test_fetching_is_announced_and_a_failure_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import timm

    make, asked = timm.create_model, []

    def offline(name: str, pretrained: bool = False, num_classes: int = 0, **options: str | float) -> nn.Module:
        if pretrained:
            asked.append((name, capsys.readouterr().out))
            raise OSError("no network")
        made: nn.Module = make(name, num_classes=num_classes, **options)  # type: ignore[arg-type]
        return made

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(UserError, match=r"resnet18.tv_in1k cannot be fetched: no network"):
        build("resnet18", pretrained="timm")
    assert [name for name, _ in asked] == ["resnet18.tv_in1k"]
    assert "timm/resnet18.tv_in1k" in asked[0][1]


def test_fetched_weights_are_hashed_and_fill_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    import timm

    make = timm.create_model

    def online(name: str, pretrained: bool = False, num_classes: int = 0, **options: str | float) -> nn.Module:
        torch.manual_seed(5)
        made: nn.Module = make(name, num_classes=num_classes, **options)  # type: ignore[arg-type]
        return made

    monkeypatch.setattr(timm, "create_model", online)
    made = build("resnet18", 1, pretrained="timm")
    expected = online("resnet18", num_classes=0).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in made.body.state_dict().items())
    assert made.facts["pretrain_id"] == "timm/resnet18.tv_in1k"
    assert len(made.facts["pretrain_sha256"]) == 64
