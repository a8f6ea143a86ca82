"""Training of recognition: graphs, examples, calibration, export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posepipe.errors import InputError, UsageError
from posepipe.exercise.features import COLUMNS, FEATURES, SAMPLES, mirror
from posepipe.exercise.labels import LABELS, OTHER, WALKING
from posepipe.exercise.signal import difference_sigma
from posepipe.lab.angles import by_change, measured, over_sigma
from posepipe.lab.film import _hide, _looking_past, _out_of_picture, draw_camera, open_film
from posepipe.lab.people.camera import SynthCamera
from posepipe.lab.people.exercises.takes import make_exercise
from posepipe.lab.people.gait import PATTERNS
from posepipe.lab.recogniser.nets import Examples, augment, cut_pool
from posepipe.lab.recogniser.pool import build_pool, load_pool, save_pool, synthetic_takes
from posepipe.lab.runs import config_from_dict, read_config
from posepipe.skeleton import BODY21
from posepipe.weights import load_card

torch = pytest.importorskip("torch")
from posepipe.lab.recogniser.nets import (  # noqa: E402
    NODES,
    STREAMS,
    NetConfig,
    PartNet,
    adjacency,
    build_net,
    cosines,
)
from posepipe.lab.recogniser.train import (  # noqa: E402
    ExerciseConfig,
    draw_weights,
    export_exercise,
    fit,
    pool_files,
    temperature_of,
    train_exercise,
    write_onnx,
)

CONFIGS = Path(__file__).resolve().parents[3] / "posepipe" / "lab" / "configs"


@pytest.fixture(scope="module")
def pools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small pools, one of them to calibrate on."""
    folder = tmp_path_factory.mktemp("pools")
    stages = open_film()
    for name, seed in (("synth_1", 1), ("val_2", 2)):
        save_pool(build_pool(stages, synthetic_takes(10, seed), seed), folder / f"{name}.npz")
    return folder


def _examples(count: int = 240) -> Examples:
    """Windows in which one column tells the label."""
    rng = np.random.default_rng(0)
    x = 0.3 * rng.standard_normal((count, SAMPLES, len(FEATURES))).astype(np.float32)
    label = np.arange(count) % 2
    x[:, :, 2] += 2.0 * label[:, None] - 1.0
    target = np.zeros((count, len(LABELS)), np.float32)
    target[np.arange(count), label] = 1.0
    return Examples(x.astype(np.float16), target, np.arange(count), np.array(["synth"] * count), np.zeros(count, bool))


@pytest.mark.parametrize("name", list(STREAMS))
def test_graphs_are_whole(name: str) -> None:
    nodes = STREAMS[name]
    graph = adjacency(nodes)
    assert torch.equal(graph[0], torch.eye(len(nodes)))
    # One joint of each stream has no parent in it; every other has one, and is its parent's child.
    assert int((graph[1].sum(dim=1) == 0).sum()) == 1
    assert torch.equal((graph[1] > 0).T, graph[2] > 0)
    # From there, every joint can be reached.
    reach = torch.linalg.matrix_power(torch.eye(len(nodes)) + (graph[1] > 0) + (graph[2] > 0), len(nodes))
    assert (reach > 0).all()


def test_streams_are_parts() -> None:
    assert set(STREAMS["body"]) == set(NODES)
    assert "left_wrist" in STREAMS["arms"] and "left_ankle" not in STREAMS["arms"]
    assert "left_ankle" in STREAMS["legs"] and "left_wrist" not in STREAMS["legs"]


def test_cosines_take_a_window_apart() -> None:
    waves = cosines(SAMPLES, 10)
    time = (torch.arange(SAMPLES) + 0.5) / SAMPLES
    assert torch.allclose(waves @ torch.full((SAMPLES,), 3.0), torch.tensor([3.0] + [0.0] * 9), atol=1e-5)
    assert torch.allclose(waves @ torch.cos(4 * torch.pi * time), torch.eye(10)[4], atol=1e-5)


@pytest.mark.parametrize("kind", ["bilstm", "parts", "paper22"])
def test_export_gives_the_same_answers(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    assert write_onnx(build_net(NetConfig(kind)).eval(), 1.3, tmp_path / "net.onnx") <= 1e-4


def test_the_paper_net_sees_22_features_alone() -> None:
    net = build_net(NetConfig("paper22")).eval()
    x = torch.randn(2, SAMPLES, len(FEATURES))
    other = x.clone()
    other[..., COLUMNS["joints"]] = 0.0
    other[..., COLUMNS["trust"]] = 0.0
    with torch.no_grad():
        assert torch.equal(net(x), net(other))


def test_an_unknown_net_says_so() -> None:
    with pytest.raises(UsageError, match="no network"):
        build_net(NetConfig("forest"))


@pytest.mark.parametrize("kind", ["bilstm", "parts"])
def test_fitting_learns(kind: str) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    data = _examples()
    config = ExerciseConfig(steps=40, batch=32, lr=5e-3, ema=0.8)
    net = fit(build_net(NetConfig(kind)), data.x, data.target, np.full(240, 1 / 240), config, vary=lambda x, _: x)
    with torch.no_grad():
        said = net(torch.from_numpy(data.x.astype(np.float32))).argmax(dim=-1).numpy()
    assert (said == data.target.argmax(axis=1)).mean() > 0.9


def test_temperature_undoes_overconfidence() -> None:
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((4000, 5)).astype(np.float32) * 2.0
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    target = np.eye(5, dtype=np.float32)[[rng.choice(5, p=row / row.sum()) for row in p.astype(np.float64)]]
    assert temperature_of(3.0 * logits, target) == pytest.approx(3.0, rel=0.1)


def test_draws_follow_the_shares() -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, len(LABELS), 3000)
    data = Examples(
        np.zeros((3000, 1, 1), np.float16),
        np.eye(len(LABELS), dtype=np.float32)[label],
        np.arange(3000),
        np.where(rng.random(3000) < 0.1, "cmu", "synth"),
        rng.random(3000) < 0.5,
    )
    config = ExerciseConfig(other_share=0.3, walking_share=0.1, real_share=0.25, beside=0.25)
    weight = draw_weights(data, config)
    assert weight.sum() == pytest.approx(1.0)
    assert weight[label == LABELS.index(OTHER)].sum() == pytest.approx(0.3)
    assert weight[label == LABELS.index(WALKING)].sum() == pytest.approx(0.1)
    quiet = (label == LABELS.index(OTHER)) & (data.kind == "synth")
    assert weight[quiet & data.beside].max() == pytest.approx(0.25 * weight[quiet & ~data.beside].max())
    squat = label == LABELS.index("squat")
    assert weight[squat & (data.kind == "cmu")].sum() / weight[squat].sum() == pytest.approx(0.25)


def test_augmented_windows_stay_sane() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, SAMPLES, len(FEATURES))).astype(np.float32)
    x[..., COLUMNS["trust"]] = 0.7
    assert np.array_equal(mirror(mirror(x)), x)
    out = augment(x.copy(), rng)
    assert out.shape == x.shape and out.dtype == np.float32 and np.isfinite(out).all()
    trust = out[..., COLUMNS["trust"]]
    assert ((trust == 0) | (trust == np.float32(0.7)) | (trust == np.float32(0.8))).all()
    assert (trust == 0).any()


def test_a_pool_is_cut_into_labelled_windows(pools: Path) -> None:
    pool = load_pool([pools / "synth_1.npz"])
    assert len(pool.start) == 11 and pool.start[-1] == len(pool.time_s)
    cut = cut_pool(pool, 0)
    assert np.allclose(cut.target.sum(axis=1), 1.0, atol=1e-5)
    assert np.isfinite(cut.x).all() and cut.x.shape[1:] == (SAMPLES, len(FEATURES))
    twice = load_pool([pools / "synth_1.npz", pools / "val_2.npz"])
    assert twice.start[-1] == len(twice.time_s) and len(twice.kind) == 20


def test_a_whole_run_leaves_a_model_that_loads(pools: Path, tmp_path: Path) -> None:
    config = ExerciseConfig(name="tiny", net=NetConfig("parts", width=8), steps=8, batch=16)
    report = train_exercise(config, pools, tmp_path / "run", lambda line: None)
    assert 0.0 <= report["metrics"]["held_out_accuracy"] <= 1.0 and report["pools"] == ["synth_1"]
    card = load_card(export_exercise(tmp_path / "run", tmp_path / "models"))
    assert card.name == "tiny" and card.model_path.stat().st_size == card.size_bytes < 3e6
    assert "nosuch" not in card.source and "CMU" in card.source


def test_pools_without_held_out_takes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "synth_1.npz").touch()
    with pytest.raises(InputError, match="val"):
        pool_files(tmp_path)


def test_shipped_configs_load_and_mistakes_are_named() -> None:
    for name in ("exercise", "exercise_bilstm"):
        assert read_config(ExerciseConfig, CONFIGS / f"{name}.toml").name == name
    with pytest.raises(UsageError, match="stepps"):
        config_from_dict(ExerciseConfig, {"stepps": 3})
    with pytest.raises(UsageError):
        read_config(ExerciseConfig, CONFIGS / "absent.toml")


def test_part_net_is_light() -> None:
    assert sum(p.numel() for p in PartNet().parameters()) < 400_000


def test_walkers_and_passers_by_are_in_the_pool() -> None:
    takes = list(synthetic_takes(120, 4))
    walks = [take for take in takes if take.name.startswith(WALKING)]
    assert any(take.name.split(": ")[1] in PATTERNS for take in walks)
    assert all(len(take.time_s) == len(take.xyz_m) == len(take.label) for take in takes)
    assert all(np.isfinite(take.xyz_m).all() for take in takes)
    # Where the track goes over to someone else the body jumps: nobody's pelvis does 6 m/s by itself.
    jumps = [np.linalg.norm(np.diff(take.xyz_m[:, 0], axis=0), axis=1).max() * 15.0 > 6.0 for take in takes]
    assert 0 < sum(jumps) < 0.2 * len(takes)


def test_lying_people_are_filmed_from_their_ends_too() -> None:
    lying = np.zeros((4, len(BODY21), 3))
    lying[:, BODY21.index("thorax")] = [0.5, 0.0, 0.05]
    ends = 0
    for seed in range(400):
        camera = draw_camera(lying, np.random.default_rng(seed))
        ends += abs(camera.position_m[1]) < 0.3 * abs(camera.position_m[0])
    # Of all directions a fifth lie that near to the body's line.
    assert 100 < ends < 200


def test_what_is_out_of_the_picture_is_doubtful() -> None:
    camera = SynthCamera((0.0, -3.0, 1.0), (0.0, 0.0, 1.0), 400.0, 640, 360)
    xy = np.full((30, len(BODY21), 2), 180.0)
    xy[:, 1, 1] = 500.0
    seen, doubt = xy.copy(), np.zeros((30, len(BODY21)))
    time_s = np.arange(30) / 15.0
    _out_of_picture(seen, doubt, np.full(30, 100.0), time_s, camera, np.random.default_rng(0))
    assert np.array_equal(seen[:, 0], xy[:, 0]) and (doubt[:, 0] == 0).all()
    assert np.abs(seen[:, 1] - xy[:, 1]).max() > 5.0 and (doubt[:, 1] > 0.1).all()


def test_a_camera_that_looks_past_cuts_the_person_off() -> None:
    take = make_exercise("squat", np.random.default_rng(0), fps_hz=15.0, reps=1, context=0.0)
    cut = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        turned = _looking_past(
            SynthCamera.random(rng, take.positions[0, 0], distance_m=(3.0, 6.0)), take.positions, rng
        )
        xy, depth = turned.project(take.positions)
        assert (depth > 0.3).all()
        cut.append(float(((xy < 0) | (xy > [turned.width_px, turned.height_px])).any(axis=-1).mean()))
    # Some of each person is out of the picture, never nearly all.
    assert min(cut) > 0.02 and max(cut) < 0.8


def test_hidden_joints_are_doubtful_and_the_others_stay() -> None:
    xy, doubt = np.full((30, len(BODY21), 2), 180.0), np.zeros((30, len(BODY21)))
    _hide(xy, doubt, np.full(30, 100.0), np.arange(30) / 15.0, np.random.default_rng(1))
    moved = (xy != 180.0).any(axis=(0, 2))
    assert 0 < moved.sum() < 6 and (doubt[:, ~moved] == 0).all()


def test_some_takes_are_slow_and_some_people_rest() -> None:
    takes = list(synthetic_takes(120, 4))
    slow = np.mean([np.diff(take.time_s).max() > 0.1 for take in takes])
    assert 0.05 < slow < 0.35
    take = make_exercise("squat", np.random.default_rng(1), reps=3, context=0.0, cut=0.0, rest=1.0)
    pause = take.rep_bounds[1:, 0] - take.rep_bounds[:-1, 1]
    middle = 0.5 * (take.rep_bounds[1:, 0] + take.rep_bounds[:-1, 1])
    name = np.array(LABELS)[take.frame_label[np.searchsorted(take.time_s, middle)]]
    assert (pause > 1.0).all() and (name[pause > 2.0] == OTHER).all() and (pause > 2.0).any()


def test_errors_go_together_while_the_posture_is_alike() -> None:
    """What `difference_sigma` says of two frames, against truth filmed and lifted."""
    errors = measured(15, 5)
    rows = by_change(errors)
    assert rows[0][3] > 0.6 and rows[-1][3] < 0.5 < rows[0][3] - rows[-1][3] + 0.2
    scale = np.array([over_sigma(errors)[name] for name in errors.name])
    first, second = 0, 4  # Rest and turn.
    change = errors.deg[:, second] - errors.deg[:, first]
    off = (errors.error_deg[:, second] - errors.error_deg[:, first]) / scale
    one, two = errors.sigma_deg[:, first], errors.sigma_deg[:, second]
    together, apart = difference_sigma(change, one, two), np.hypot(one, two)
    alike = np.abs(change) < 15.0
    for part in (alike, ~alike):
        assert 0.5 < np.sqrt((np.clip(off / together, -4, 4)[part] ** 2).mean()) < 1.5
    # Without the shared part the error bar of small changes is far too wide.
    assert np.sqrt((np.clip(off / apart, -4, 4)[alike] ** 2).mean()) < 0.75
