"""Normal or abnormal: worse is never healthier, sides and directions don't matter, and the reasons are said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posepipe.body.motion import Motion
from posepipe.errors import ModelError
from posepipe.gait.analyse import analyse
from posepipe.gait.features import FEATURES, gait_features
from posepipe.gait.judge import Classifier
from posepipe.gait.norms import SEEN, SOURCES, feature_norms
from posepipe.gait.types import Abnormal
from posepipe.reasons import Reason
from posepipe.record.codec import encode, gait_json, plain
from posepipe.skeleton import BODY21
from posepipe.weights import find_model
from tests.gait.walks import mirrored, noisy, straight_motion, turned, without

COUNT = len(FEATURES)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier()


def _probability(motion: Motion) -> float:
    found = analyse(motion, least_strides=0).abnormal  # Also where it is too uncertain to be told.
    assert isinstance(found, Abnormal), found
    return found.probability


@given(
    st.integers(0, COUNT - 1),
    st.floats(-6.0, 6.0),
    st.floats(0.2, 4.0),
    st.sampled_from(SEEN),
    st.integers(0, 10_000),
)
@settings(max_examples=60, deadline=None)
def test_further_from_normal_never_lowers_the_probability(
    index: int, away: float, more: float, seen: str, seed: int
) -> None:
    z = np.random.default_rng(seed).normal(0.0, 2.0, (1, COUNT)).astype(np.float32)
    z[0, index] = away
    further = z.copy()
    further[0, index] = away + (more if away >= 0 else -more)
    batch = np.concatenate([z, further])
    probability, added, names = Classifier().run(batch, np.ones_like(batch), seen)
    assert probability[1] >= probability[0] - 1e-6
    assert (added >= 0.0).all()
    np.testing.assert_allclose(names.sum(axis=1), 1.0, atol=1e-5)


def test_what_is_unknown_adds_nothing(classifier: Classifier) -> None:
    z = np.full((1, COUNT), 5.0, np.float32)
    known = np.ones_like(z)
    known[0, 3] = 0.0
    _, added, _ = classifier.run(z, known, "side")
    assert added[0, 3] == 0.0


def test_a_network_of_other_features_is_refused(tmp_path: Path) -> None:
    network = onnx.load(find_model("gait"))
    entry = next(item for item in network.metadata_props if item.key == "features")
    entry.value = json.dumps(json.loads(entry.value)[::-1])
    onnx.save(network, tmp_path / "other.onnx")
    with pytest.raises(ModelError, match="features"):
        Classifier(tmp_path / "other.onnx")


@pytest.mark.parametrize("pattern", ["hemiplegic", "parkinsonian", "crouch", "waddling"])
def test_probability_grows_with_severity(pattern: str) -> None:
    found = [_probability(straight_motion(11, pattern, severity)) for severity in (0.0, 0.5, 1.0)]
    assert found[0] < 0.5 < found[2]
    assert found[0] <= found[1] + 0.05
    assert found[1] <= found[2] + 0.05


@pytest.mark.parametrize("pattern", ["normal", "stiff_knee"])
def test_noise_never_looks_healthier(pattern: str) -> None:
    motion = straight_motion(11, pattern, 0.0 if pattern == "normal" else 0.8)
    assert _probability(noisy(motion, 0.010)) >= _probability(motion) - 0.05
    loud = analyse(noisy(motion, 0.010)).abnormal
    if pattern == "normal" or loud is not Reason.TOO_UNCERTAIN:
        assert isinstance(loud, Abnormal)
        assert loud.label == ("normal" if pattern == "normal" else "abnormal")


def test_sides_and_directions_do_not_matter() -> None:
    motion = straight_motion(12, "hemiplegic", 0.7)
    here = _probability(motion)
    assert _probability(mirrored(motion)) == pytest.approx(here, abs=0.03)
    assert _probability(turned(motion, 180.0)) == pytest.approx(here, abs=0.03)


def test_the_side_at_fault_is_named() -> None:
    found = analyse(straight_motion(12, "hemiplegic", 0.9, "right")).abnormal
    assert isinstance(found, Abnormal)
    assert found.label == "abnormal"
    assert "right" in {sign.side for sign in found.evidence}
    assert all(sign.words for sign in found.evidence)


def test_a_skeleton_without_feet_and_arms_is_judged() -> None:
    motion = straight_motion(12, "hemiplegic", 0.9)
    missing = tuple(j for j in BODY21.joints if any(p in j for p in ("heel", "foot", "elbow", "wrist")))
    found = analyse(without(motion, np.ones(len(motion), dtype=bool), missing), least_strides=0)
    assert isinstance(found.abnormal, Abnormal)
    assert not {name for name in found.features if name.startswith(("ankle", "arm", "elbow", "stance"))}


def test_standing_is_not_walking() -> None:
    motion = straight_motion(12)
    still = np.broadcast_to(motion.xyz_m[:1], motion.xyz_m.shape).copy()
    assert analyse(replace(motion, xyz_m=still)).withheld is Reason.NOT_WALKING


def test_too_few_strides_are_not_judged() -> None:
    found = analyse(straight_motion(12, seconds=2.0))
    assert found.withheld is None and found.parameters.strides
    assert found.abnormal is Reason.TOO_FEW_STRIDES
    assert found.deviation is Reason.TOO_FEW_STRIDES


def test_the_section_is_plain_and_complete() -> None:
    section = plain(gait_json(analyse(straight_motion(11, "crouch", 0.8))))
    json.dumps(section, allow_nan=False)
    assert {"events", "strides", "cadence_spm", "stance_pct", "symmetry", "deviation_score", "abnormal"} <= set(section)
    assert set(section["events"][0]) == {"time_s", "side", "type"}
    assert set(section["abnormal"]) >= {"probability", "label", "pattern", "evidence"}
    assert section["deviation_score"]["value"] < 100.0
    assert "diagnosis" in section["note"]


def test_same_walk_same_answer() -> None:
    motion = straight_motion(11, "crouch", 0.8)
    assert encode(analyse(motion)) == encode(analyse(motion))


def test_features_have_norms_with_a_source() -> None:
    assert "posepipe" in SOURCES
    for seen in SEEN:
        norms = feature_norms(seen)
        # A camera that pans makes the trunk wander: not a sign of anything in films.
        missing = set() if seen in ("3d", "sensor") else {"trunk_spread_deg"}
        assert {spec.name for spec in FEATURES} - set(norms) == missing
        for norm in norms.values():
            assert min(norm.sd_low, norm.sd_high) > 0.0
            for above in (False, True):
                assert norm.spread(1, above=above) >= norm.spread(9, above=above)


def test_one_side_alone_gives_no_differences() -> None:
    from posepipe.gait.curves import cut_cycles
    from posepipe.gait.events import coarse_strides

    motion = straight_motion(11)
    left = [stride for stride in coarse_strides(motion) if stride.side == "left"]
    assert not any("asymmetry" in name for name in gait_features(cut_cycles(motion, left)))
    assert gait_features([]) == {}
