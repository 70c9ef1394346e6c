"""The gradient lab shows what it says: each sentence's claim holds in the numbers, and the picture is drawn."""

import importlib.util
import math
import sys
from pathlib import Path

import pytest

LAB = Path(__file__).resolve().parents[1] / "examples" / "gradient_lab.py"


@pytest.fixture(scope="module")
def lab():
    spec = importlib.util.spec_from_file_location("gradient_lab", LAB)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def courses(lab):
    return [lab.train(setting, steps=250) for setting in lab.SETTINGS]


def test_a_good_start_begins_at_log_c_and_learns(lab, courses):
    good = courses[0]
    assert good.loss[0] == pytest.approx(math.log(lab.C), rel=0.1)
    assert good.saturated[0] == 0
    assert good.loss[-1] < 0.01 and good.accuracy == 1.0


def test_large_weights_begin_certain_and_wrong(lab, courses):
    large = courses[1]
    assert large.loss[0] > 20 * math.log(lab.C)
    assert large.logit_scale[0] == pytest.approx(
        4**lab.DEPTH * courses[0].logit_scale[0]
    )  # ReLU layers are homogeneous
    assert large.saturated[0] > 0.9


def test_small_weights_stand_still(lab, courses):
    small = courses[2]
    assert small.loss[0] == pytest.approx(math.log(lab.C), rel=1e-3)
    assert small.grad_norm[0] < 0.02 * courses[0].grad_norm[0]
    assert small.loss[100] == pytest.approx(math.log(lab.C), rel=1e-2)


def test_l2_bounds_the_scale_and_the_z_loss_the_level(courses):
    good, _, _, l2, z_loss, both = courses
    assert l2.logit_scale[-1] < 0.7 * good.logit_scale[-1] and both.logit_scale[-1] < 0.7 * good.logit_scale[-1]
    assert good.logit_scale[-1] > good.logit_scale[-100] and l2.logit_scale[-1] < l2.logit_scale[-100]
    assert good.level[-1] > 5
    assert z_loss.level[-1] < 0.3 and both.level[-1] < 0.3
    assert z_loss.logit_scale[-1] > 0.7 * good.logit_scale[-1]


def test_a_small_step_lowers_the_loss_by_what_the_gradient_promises(lab):
    course = lab.train(lab.SETTINGS[0], steps=2, rate=1e-4)
    fall = course.loss[0] - course.loss[1]
    assert fall == pytest.approx(1e-4 * course.grad_norm[0] ** 2, rel=0.01)


def test_it_prints_the_table_and_the_words_and_draws(lab, tmp_path, capsys):
    lab.main(["--out", str(tmp_path / "lab.png"), "--steps", "3"])
    printed = capsys.readouterr().out
    for setting in lab.SETTINGS:
        assert f"{setting.name:20}|" in printed
    assert "log 3 = 1.10" in printed and "4^4 = 256 times" in printed
    assert (tmp_path / "lab.png").read_bytes().startswith(b"\x89PNG")
