"""Sampling: what is kept, what is drawn, and what is refused, against sorting in plain loops."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import naive_sampling as naive
from logitkit import ops
from logitkit.errors import InputError, OptionError
from logitkit.ops import SamplingOptions

INF, NAN = np.inf, np.nan
STEPS = ("temperature", "top_k", "top_p", "min_p", "typical_p")


def steps_of(options):
    return {name: getattr(options, name) for name in STEPS}


fractions = st.none() | st.sampled_from([0.0, 0.05, 0.3, 0.5, 0.9, 0.95, 1.0])
any_options = st.builds(
    SamplingOptions,
    temperature=st.sampled_from([0.0, 0.3, 1.0, 1.7]),
    top_k=st.none() | st.integers(1, 60),
    top_p=fractions,
    min_p=fractions,
    typical_p=fractions,
)


@st.composite
def some_row(draw):
    kind = draw(st.sampled_from(["normal", "few", "masked", "infinite", "equal"]))
    V = draw(st.sampled_from([1, 2, 5, 40, 700, 5000]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    row = rng.normal(0, 3, V)
    if kind == "few":
        row = rng.integers(-2, 3, V).astype(float)
    elif kind == "equal":
        row = np.zeros(V)
    elif kind == "masked":
        row[rng.random(V) < 0.7] = -INF
        row[rng.integers(V)] = 1.0
    elif kind == "infinite":
        row[rng.integers(0, V, 3)] = INF
    return row.astype(np.float32)


@given(some_row(), any_options, st.integers(0, 2**32))
def test_what_is_kept_and_drawn_is_what_sorting_gives(row, options, seed):
    z = row.tolist()
    kept = naive.keep(z, **steps_of(options))
    assume(kept is not None)
    probs = naive.distribution(z, kept, options.temperature)
    processed = ops.process_logits(row, options)
    assert processed.dtype == row.dtype
    assert np.flatnonzero(processed > -INF).tolist() == [i for i in kept if z[i] > -INF]
    shown = np.array([z[i] / (options.temperature or 1.0) for i in kept], np.float32)
    assert np.array_equal(processed[kept], shown)
    uniforms = np.random.default_rng(seed).random(20)
    tokens, log_probs = ops.sample(np.tile(row, (20, 1)), options, uniforms=uniforms)
    for uniform, token, log_prob in zip(uniforms, tokens, log_probs, strict=True):
        assert naive.draw(probs, uniform) in (token, None)
        assert math.isclose(log_prob, math.log(probs[token]), rel_tol=1e-7, abs_tol=1e-12)


def crowded_rows(rng):
    """Rows in which halving the interval of logits finds no border at once, or only ties at it."""
    yield 1.0 + rng.integers(0, 9, 6_000) * 2.0**-23  # neighbours in float32
    yield rng.integers(-9, 9, 6_000) * 2.0**-149  # neighbours around zero
    yield np.where(rng.random(6_000) < 0.5, rng.normal(0, 1e-30, 6_000), -1.0)
    yield np.where(np.arange(6_000) < 5, 5.0, np.where(rng.random(6_000) < 0.5, 0.25, 0.25 + 2.0**-25))
    yield rng.choice([-1.0, 1.0], 6_000) * np.exp(rng.uniform(-60, 1, 6_000))


@pytest.mark.parametrize("top_p", [0.01, 0.3, 0.77])
@pytest.mark.parametrize("T", [0.9, 1e-6, 1e6])
def test_rows_that_crowd_at_the_border(top_p, T, rng):
    for row in crowded_rows(rng):
        logits = row.astype(np.float32)
        kept = naive.keep(logits.tolist(), temperature=T, top_p=top_p, gap=1e-5 / len(row))
        found = np.flatnonzero(ops.process_logits(logits, SamplingOptions(temperature=T, top_p=top_p)) > -INF)
        assert kept is None or found.tolist() == kept
        if kept is None:  # a border that rounding moves by a token
            mass = naive.masses(logits.tolist(), range(len(row)), T)
            assert math.isclose(sum(mass[i] for i in found), top_p * sum(mass.values()), rel_tol=2e-3)


@pytest.mark.parametrize("dtype", [np.float16, np.float64, "bfloat16"])
def test_other_types(dtype, rng):
    if dtype == "bfloat16":
        dtype = pytest.importorskip("ml_dtypes").bfloat16
    rows = rng.normal(0, 3, (6, 3000)).astype(dtype)
    for options in (SamplingOptions(top_p=0.8), SamplingOptions(top_k=20, top_p=0.9), SamplingOptions(temperature=0.7)):
        processed = ops.process_logits(rows, options)
        assert processed.dtype == rows.dtype
        uniforms = rng.random(6)
        tokens, log_probs = ops.sample(rows, options, uniforms=uniforms)
        for i, row in enumerate(rows.astype(float).tolist()):
            kept = naive.keep(row, **steps_of(options))
            if kept is not None:
                assert np.flatnonzero(processed[i] > -INF).tolist() == kept
                probs = naive.distribution(row, kept, options.temperature)
                assert naive.draw(probs, uniforms[i]) in (tokens[i], None)
                assert math.isclose(log_probs[i], math.log(probs[tokens[i]]), rel_tol=1e-6)


@given(st.data())
def test_penalties(data):
    V = data.draw(st.integers(1, 9))
    values = st.sampled_from([-2.0, -0.5, 0.0, 1.0, 3.0, INF, -INF])
    rows = data.draw(st.lists(st.lists(values, min_size=V, max_size=V), min_size=1, max_size=4))
    previous = [data.draw(st.lists(st.integers(-1, V - 1), max_size=12)) for _ in rows]
    repetition, presence, frequency = data.draw(st.sampled_from([(1.3, 0.0, 0.0), (1.0, 0.5, 0.25), (0.5, -1.0, 0.1)]))
    options = SamplingOptions(
        repetition_penalty=repetition, presence_penalty=presence, frequency_penalty=frequency, temperature=0.5
    )
    logits = np.array(rows)
    before = logits.copy()
    expected = [
        [z / 0.5 for z in naive.penalise(row, tokens, repetition, presence, frequency)]
        for row, tokens in zip(rows, previous, strict=True)
    ]
    assert np.allclose(ops.process_logits(logits, options, previous=previous), expected, rtol=1e-14)
    assert np.array_equal(logits, before)
    assert np.allclose(ops.process_logits(logits[0], options, previous=previous[0]), expected[0], rtol=1e-14)
    padded = np.full((len(rows), 12), -1)
    for row, tokens in enumerate(previous):
        padded[row, : len(tokens)] = tokens
    assert np.allclose(ops.process_logits(logits, options, previous=padded), expected, rtol=1e-14)
    assert np.array_equal(ops.process_logits(logits, options), logits / 0.5)


@pytest.mark.parametrize(
    "options",
    [
        SamplingOptions(),
        SamplingOptions(temperature=1.5),
        SamplingOptions(top_p=0.7),
        SamplingOptions(top_k=3),
        SamplingOptions(min_p=0.2),
        SamplingOptions(typical_p=0.6),
    ],
    ids=lambda options: str({name: value for name, value in steps_of(options).items() if value is not None}),
)
def test_tokens_come_as_often_as_they_should(options):
    row = [1.0, -0.5, 2.0, 0.3, 1.9, -3.0]
    N = 40_000
    tokens, _ = ops.sample(np.tile(np.float32(row), (N, 1)), options, rng=12345)
    probs = naive.distribution(row, naive.keep(row, **steps_of(options)), options.temperature)
    seen = np.bincount(tokens, minlength=6)
    assert set(np.flatnonzero(seen)) <= set(probs)
    chi_square = sum((seen[i] - N * p) ** 2 / (N * p) for i, p in probs.items())
    assert chi_square < 30.0  # 5 degrees of freedom at most: p = 1.5e-5, and the seed is fixed


def test_the_same_seed_gives_the_same_tokens(rng, threads):
    logits = rng.normal(0, 2, (300, 2000)).astype(np.float32)
    for options in (SamplingOptions(top_k=40, top_p=0.9), SamplingOptions(), SamplingOptions(top_p=0.9)):
        threads(1)
        tokens, log_probs = ops.sample(logits, options, rng=7)
        for n in (2, 5):
            threads(n)
            again = ops.sample(logits, options, rng=7)
            assert np.array_equal(again[0], tokens) and again[1].tobytes() == log_probs.tobytes()
        part = ops.sample(logits[:11], options, rng=7)
        assert np.array_equal(part[0], tokens[:11]) and part[1].tobytes() == log_probs[:11].tobytes()
        assert np.array_equal(ops.sample(logits, options, uniforms=np.random.default_rng(7).random(300))[0], tokens)
    generator = np.random.default_rng(7)
    ops.sample(logits, rng=generator)
    assert generator.random() == np.random.default_rng(7).random(301)[300]


def test_log_probs_are_those_of_the_processed_logits(rng):
    logits = rng.normal(0, 30, (50, 600))
    options = SamplingOptions(temperature=0.9, top_k=30, min_p=1e-6)
    tokens, log_probs = ops.sample(logits, options, rng=rng)
    expected = ops.log_softmax(ops.process_logits(logits, options))[np.arange(50), tokens]
    assert np.allclose(log_probs, expected, rtol=1e-9, atol=0.0)
    for options in (SamplingOptions(), SamplingOptions(top_k=2), SamplingOptions(min_p=1e-12)):
        _, log_prob = ops.sample([0.0, -25.0, -INF], options, uniforms=0.5)
        assert math.isclose(log_prob, -math.log1p(math.exp(-25.0)), rel_tol=1e-14)  # just below 0


def test_the_borders_of_the_uniform_number():
    logits = np.array([-INF, 0.0, 0.0, -INF, 0.0, 0.0, -INF], np.float32)
    below_1 = np.nextafter(1.0, 0.0)
    for options in (
        SamplingOptions(),
        SamplingOptions(top_k=6),
        SamplingOptions(top_p=0.999),
        SamplingOptions(min_p=0.5),
    ):
        drawn = [ops.sample(logits, options, uniforms=u)[0] for u in (0.0, 0.25, 0.5, 0.75, below_1)]
        assert drawn == [1, 2, 4, 5, 5]
    assert ops.process_logits(np.zeros(4), SamplingOptions(top_p=0.5)).tolist() == [0.0, 0.0, -INF, -INF]


def test_one_token_and_no_rows():
    assert ops.sample([3.0], SamplingOptions(top_k=5, top_p=0.0, typical_p=0.0), rng=1) == (0, 0.0)
    tokens, log_probs = ops.sample(np.empty((0, 3)), rng=1)
    assert tokens.shape == log_probs.shape == (0,)
    tokens, _ = ops.sample(np.zeros((2, 3, 4)), rng=1)
    assert tokens.shape == (2, 3)
    assert ops.process_logits(np.empty((0, 3)), SamplingOptions(top_k=1)).shape == (0, 3)
    penalty = SamplingOptions(presence_penalty=1.0)
    assert ops.process_logits(np.empty((0, 3)), penalty, previous=np.empty((0, 2), int)).shape == (0, 3)
    assert ops.process_logits(np.zeros((1, 3)), penalty, previous=[[]]).tolist() == [[0.0] * 3]


@pytest.mark.parametrize(
    "options",
    [SamplingOptions(), SamplingOptions(temperature=0.0), SamplingOptions(top_k=2), SamplingOptions(top_p=0.5)],
)
def test_rows_without_a_token(options):
    good = [0.0, 1.0, 2.0]
    with pytest.raises(InputError, match=r"^The 'logits' of sample must be free of NaN; got NaN in row 1\.$"):
        ops.sample([good, [NAN, 0.0, -INF]], options, rng=0)
    with pytest.raises(
        InputError, match=r"'logits' of sample must be above -inf for one token at least; .* in row 2\.$"
    ):
        ops.sample([good, good, [-INF] * 3], options, rng=0)
    processed = ops.process_logits([[0.0, -NAN, 1.0], [-INF] * 3], options)
    assert np.isnan(processed[0]).all() and (processed[1] == -INF).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("temperature", -1.0), ("temperature", NAN), ("temperature", 1e-320), ("top_k", 0), ("top_k", 1.5)),
        *(("top_p", 1.1), ("min_p", -0.1), ("typical_p", "0.5"), ("repetition_penalty", 0.0)),
        *(("presence_penalty", INF), ("frequency_penalty", None)),
    ],
)
def test_options_are_checked(name, value):
    with pytest.raises(OptionError, match=f"The '{name}' option of SamplingOptions must be "):
        SamplingOptions(**{name: value})


def test_arguments_are_checked():
    penalty = SamplingOptions(repetition_penalty=2.0)
    two = np.zeros((2, 3))
    for previous in ([[0]], [[0], [3]], [[0], [-2]], [[0], [0.5]], np.zeros((3, 1), int), [0, 1]):
        with pytest.raises(InputError, match="The 'previous' of sample must be "):
            ops.sample(two, penalty, previous=previous, rng=0)
    for uniforms in (0.5, [0.5], [0.5, 1.0], [NAN, 0.0], ["a", "b"]):
        with pytest.raises(InputError, match="The 'uniforms' of sample must be "):
            ops.sample(two, uniforms=uniforms)
    with pytest.raises(OptionError, match="Exactly one of 'rng' and 'uniforms' of sample must be given; got both"):
        ops.sample(two, uniforms=[0.5, 0.5], rng=1)


def test_against_the_chain_of_transformers_in_pytorch(rng):
    torch = pytest.importorskip("torch")
    logits = torch.from_numpy(rng.normal(0, 3, (8, 4000)).astype(np.float32))
    scores = logits / 0.7
    scores = scores.masked_fill(scores < torch.topk(scores, 50)[0][..., -1, None], -INF)
    ordered, indices = torch.sort(scores, descending=False)
    remove = ordered.softmax(-1).cumsum(-1) <= 1 - 0.9
    remove[..., -1:] = False
    scores = scores.masked_fill(remove.scatter(1, indices, remove), -INF)
    probs = scores.softmax(-1)
    scores = scores.masked_fill(probs < 0.02 * probs.max(-1, keepdim=True).values, -INF)
    log_probs = scores.log_softmax(-1)
    entropy = -(log_probs * log_probs.exp()).nansum(-1, keepdim=True)
    ordered, indices = torch.sort((-log_probs - entropy).abs(), descending=False)
    last = (scores.gather(-1, indices).softmax(-1).cumsum(-1) < 0.8).sum(-1, keepdim=True)
    remove = (ordered > ordered.gather(1, last)).scatter(1, indices, ordered > ordered.gather(1, last))
    scores = scores.masked_fill(remove, -INF)
    options = SamplingOptions(temperature=0.7, top_k=50, top_p=0.9, min_p=0.02, typical_p=0.8)
    ours = ops.process_logits(logits, options)
    assert torch.equal(ours > -INF, scores > -INF)
    assert torch.allclose(ours, scores, rtol=1e-6)
