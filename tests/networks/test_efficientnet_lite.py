from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.networks.any_size import for_any_size
from car_segmentation.networks.efficientnet_lite import efficientnet_lite0, imagenet_file
from car_segmentation.networks.folding import fold_batch_norm
from car_segmentation.networks.registry import build_network, check_options
from car_segmentation.networks.state_dict import read_state_dict
from tests.support.state_dicts import write_state_dict

State = dict[str, np.ndarray]
SHAPE = (64, 96, 3)

# Kernel, inputs, expanded, outputs of each block: the paper's table 1, its repeats written out.
BLOCKS = [
    (3, 32, 32, 16),
    *[(3, 16, 96, 24), (3, 24, 144, 24)],
    *[(5, 24, 144, 40), (5, 40, 240, 40)],
    *[(3, 40, 240, 80), (3, 80, 480, 80), (3, 80, 480, 80)],
    *[(5, 80, 480, 112), (5, 112, 672, 112), (5, 112, 672, 112)],
    *[(5, 112, 672, 192), (5, 192, 1152, 192), (5, 192, 1152, 192), (5, 192, 1152, 192)],
    (3, 192, 1152, 320),
]


@pytest.fixture(scope="module")
def state() -> State:
    """The weights' shapes as PyTorch has them, with the classifier's, and random values."""
    shapes: dict[str, tuple[int, ...]] = {"_conv_stem.weight": (32, 3, 3, 3)}

    def batch_norm(name: str, channels: int) -> None:
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{part}"] = (channels,)
        shapes[f"{name}.num_batches_tracked"] = ()

    batch_norm("_bn0", 32)
    for number, (kernel, inputs, expanded, outputs) in enumerate(BLOCKS):
        block = f"_blocks.{number}"
        if expanded != inputs:
            shapes[f"{block}._expand_conv.weight"] = (expanded, inputs, 1, 1)
            batch_norm(f"{block}._bn0", expanded)
        shapes[f"{block}._depthwise_conv.weight"] = (expanded, 1, kernel, kernel)
        batch_norm(f"{block}._bn1", expanded)
        shapes[f"{block}._project_conv.weight"] = (outputs, expanded, 1, 1)
        batch_norm(f"{block}._bn2", outputs)
    shapes["_conv_head.weight"] = (1280, 320, 1, 1)
    batch_norm("_bn1", 1280)
    shapes |= {"_fc.weight": (1000, 1280), "_fc.bias": (1000,)}
    noise = np.random.default_rng(0)
    return {
        name: noise.uniform(0.1, 1, shape).astype(np.float32)
        if not name.endswith("tracked")
        else np.array(9, np.int64)
        for name, shape in shapes.items()
    }


@pytest.fixture(scope="module")
def state_file(state: State, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "lite0.pth"
    write_state_dict(path, state)
    return path


@pytest.fixture(scope="module")
def encoder(state_file: Path) -> keras.Model:
    return efficientnet_lite0(include_top=False, weights=str(state_file), input_shape=SHAPE)


def test_every_weight_of_the_encoder_is_used_once(state: State, encoder: keras.Model) -> None:
    classifier = ("_conv_head.", "_bn1.", "_fc.")
    ours = [
        value
        for name, value in state.items()
        if not name.startswith(classifier) and value.dtype == np.float32
    ]
    assert encoder.count_params() == sum(value.size for value in ours)
    loaded = sorted(float(weight.sum(dtype=np.float64)) for weight in encoder.get_weights())
    expected = sorted(float(value.sum(dtype=np.float64)) for value in ours)
    np.testing.assert_allclose(loaded, expected, rtol=1e-9)


def test_the_published_number_of_parameters(state: State) -> None:
    """4.65 million (timm's and Google's tables), and batch normalisation's moving statistics."""
    learned = [
        value.size
        for name, value in state.items()
        if not name.endswith(("running_mean", "running_var", "tracked"))
    ]
    assert sum(learned) == 4_652_008


def test_kernels_are_turned_as_keras_has_them(state: State, encoder: keras.Model) -> None:
    """One value of each kind of convolution, worked out by hand from PyTorch's kernels."""
    photo = np.random.default_rng(1).uniform(-1, 1, (1, *SHAPE)).astype(np.float32)
    names = ["conv_stem", "block0_depthwise_conv", "block0_project_conv"]
    layers = [encoder.get_layer(name) for name in names]
    tensors = [tensor for layer in layers for tensor in (layer.input, layer.output)]
    seen = [np.asarray(part)[0] for part in keras.Model(encoder.input, tensors)(photo)]
    stem_in, stem, depthwise_in, depthwise, project_in, project = seen

    # A stride of 2 at an even size: TensorFlow pads after the last row, not before the first.
    patch = stem_in[2 * 3 : 2 * 3 + 3, 2 * 5 : 2 * 5 + 3]
    by_hand = (patch * state["_conv_stem.weight"][7].transpose(1, 2, 0)).sum()
    assert stem[3, 5, 7] == pytest.approx(by_hand, rel=1e-4)
    by_hand = (depthwise_in[2:5, 4:7, 9] * state["_blocks.0._depthwise_conv.weight"][9, 0]).sum()
    assert depthwise[3, 5, 9] == pytest.approx(by_hand, rel=1e-4)
    by_hand = project_in[3, 5] @ state["_blocks.0._project_conv.weight"][11, :, 0, 0]
    assert project[3, 5, 11] == pytest.approx(by_hand, rel=1e-4)


def test_unet_starts_from_the_file(state_file: Path, encoder: keras.Model) -> None:
    options = {"encoder": "efficientnet_lite0", "weights": str(state_file)}
    check_options("unet", options)
    pyramid = build_network("unet", 64, 96, width_multiplier=0.1, **options).get_layer("encoder")
    for ours, loaded in zip(encoder.get_weights(), pyramid.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, loaded)


CONTEXT_OPTIONS = {"filters": [4, 8, 8], "centre_filters": 8, "space_to_depth": 2}


def test_a_context_path_starts_from_the_file_and_is_not_trained(
    state_file: Path, encoder: keras.Model
) -> None:
    options = CONTEXT_OPTIONS | {"context_weights": str(state_file)}
    check_options("segnet_unet", options)
    network = build_network("segnet_unet", 33, 50, **options)
    photos = np.random.default_rng(2).integers(0, 256, (2, 33, 50, 3)).astype(np.uint8)
    network(photos, training=True)
    context = network.get_layer("context")
    folded = fold_batch_norm(encoder).get_weights()
    for ours, loaded in zip(folded, context.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, loaded)
    assert not context.trainable_weights


def test_a_context_path_joins_where_the_body_has_its_size(state_file: Path) -> None:
    options = CONTEXT_OPTIONS | {"context_weights": str(state_file)}
    network = build_network("segnet_unet", 64, 96, **options)
    shapes = {
        name: [tuple(part.shape[1:]) for part in network.get_layer(name).input]
        for name in (layer.name for layer in network.layers)
        if name.endswith("_concat")
    }
    assert shapes == {
        "centre_concat": [(4, 6, 8), (4, 6, 4)],  # A stride of 8 in a body of 32×48.
        "decoder3_concat": [(8, 12, 8), (8, 12, 8), (8, 12, 4)],
        "decoder2_concat": [(16, 24, 8), (16, 24, 8)],
        "decoder1_concat": [(32, 48, 4), (32, 48, 8)],
    }
    # The encoder sees the means of squares of 2×2 pixels, from −127/128 to 1.
    photo = np.full((1, 64, 96, 3), 0, np.uint8)
    photo[0, :2, :2] = [[[255] * 3, [255] * 3], [[255] * 3, [127] * 3]]
    seen = np.asarray(keras.Model(network.input, network.get_layer("context_shrink").output)(photo))
    assert seen.shape == (1, 32, 48, 3)
    assert seen[0, 0, 0] == pytest.approx((3 * 1 + 0) / 4)
    assert seen[0, 1, 1] == pytest.approx(-127 / 128)


def test_a_context_path_takes_any_size(state_file: Path) -> None:
    options = CONTEXT_OPTIONS | {"context_weights": str(state_file)}
    network = build_network("segnet_unet", 32, 48, **options)
    flexible = for_any_size(network, [(48, 64)])
    assert len(flexible.trainable_weights) == len(network.trainable_weights)


def test_a_context_path_without_weights_is_named() -> None:
    with pytest.raises(UserError, match=r"network\.context_weights = 'imagnet': is neither"):
        build_network("segnet_unet", 32, 32, context_weights="imagnet")


def _lacking(state: State) -> State:
    return {name: value for name, value in state.items() if name != "_bn0.bias"}


def _with_a_block_more(state: State) -> State:
    return state | {"_blocks.16._bn1.bias": np.zeros(320, np.float32)}


def _of_another_width(state: State) -> State:
    return state | {"_conv_stem.weight": np.zeros((40, 3, 3, 3), np.float32)}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (_lacking, r"has no _bn0\.bias"),
        (_with_a_block_more, r"has _blocks\.16\._bn1\.bias, of another network"),
        (_of_another_width, r"has the shape \(40, 3, 3, 3\) for _conv_stem\.weight"),
    ],
)
def test_weights_of_another_network(
    state: State, tmp_path: Path, changed: Callable[[State], State], reason: str
) -> None:
    write_state_dict(tmp_path / "b1.pth", changed(state))
    with pytest.raises(
        UserError, match=rf"b1\.pth' are not EfficientNet-Lite0's: the file {reason}\."
    ):
        efficientnet_lite0(False, str(tmp_path / "b1.pth"), SHAPE)


def test_imagenets_features_are_those_of_pytorch() -> None:
    """Of a slanted gradient of colours; values of timm 1.0's tf_efficientnet_lite0 on PyTorch 2.13.

    The same state dict was loaded there, its weights in their order.
    """
    network = efficientnet_lite0(include_top=False, weights="imagenet", input_shape=SHAPE)
    slope = np.indices(SHAPE[:2]).sum(axis=0)[..., np.newaxis]
    photo = (slope * np.array([1, 1.5, 0.5])).clip(0, 255).astype(np.float32)
    features = np.asarray(network((photo[np.newaxis] - 127) / 128))[0]
    assert features.shape == (2, 3, 320)
    np.testing.assert_allclose(
        features[0, 0, :4], [-0.91423595, -1.6600378, -1.4152747, 1.2187346], atol=1e-4
    )
    np.testing.assert_allclose(
        features[1, 2, :4], [0.308722, -0.39160815, -0.20455886, 0.9741811], atol=1e-4
    )


def test_the_packages_state_dict_is_the_one_described_here(state: State) -> None:
    stored = read_state_dict(imagenet_file())
    assert {name: value.shape for name, value in stored.items()} == {
        name: value.shape for name, value in state.items()
    }
