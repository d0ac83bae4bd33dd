"""Signals from files; the wrong ones are refused in `tests/experiments/test_learning.py`, too."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn

TABLE = np.array([[0.0, 1.0], [0.1, 3.0], [2.5, 2.0]])


def test_a_text_and_an_array_hold_the_same_signal(tmp_path):
    np.save(tmp_path / "signal.npy", TABLE)
    (tmp_path / "signal.csv").write_text("t,I\n0,1\n0.1,3  # at once\n\n2.5,2\n")
    for name in ("signal.npy", "signal.csv"):
        t, values = jn.io.read_signal(tmp_path / name)
        np.testing.assert_array_equal(np.column_stack([t, values]), TABLE)


SAME = (
    "value,t\n1,0\n3,0.1\n2,2.5\n",
    "t;current\n0;1\n0.1;3\n2.5;2\n",
    "I\tT\n1\t0\n3\t0.1\n2\t2.5\n",
    '"w","value"\n"0","1"\n0.1,3\n2.5,2\n',
    "0;1\n0.1;3\n2.5;2\n",
)


@pytest.mark.parametrize("text", SAME)
def test_names_decide_which_column_is_which(tmp_path, text):
    (tmp_path / "signal.csv").write_text(text, encoding="utf-8-sig")
    x, values = jn.io.read_signal(tmp_path / "signal.csv")
    np.testing.assert_array_equal(np.column_stack([x, values]), TABLE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x,y\n0,1\n1,2\n", "line 1: 'x,y' must name two columns, t or w and value"),
        ("t,w\n0,1\n1,2\n", "line 1: 't,w' must name two columns"),
        ("t,value,std\n0,1,1\n1,2,1\n", "line 1: 't,value,std' must name two columns"),
        ("t value\n0 1\n", "line 1: 't value' must name two columns, .* parted by a comma"),
        ("t;value\n0,5;1\n1;2\n", "line 2: '0,5' must be a number with .* point, not a comma"),
        ("0;1\n0,5;2\n", "line 2: '0,5' must be a number with a decimal point, not a comma"),
    ],
)
def test_columns_in_doubt_are_refused(tmp_path, text, message):
    (tmp_path / "signal.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        jn.io.read_signal(tmp_path / "signal.csv")


@pytest.mark.parametrize("dtype", [np.float32, np.int16, ">f8"])
def test_numbers_of_every_type_stay_the_same(tmp_path, dtype):
    np.save(tmp_path / "signal.npy", TABLE[::2].astype(dtype))
    t, values = jn.io.read_signal(tmp_path / "signal.npy")
    np.testing.assert_array_equal(np.column_stack([t, values]), TABLE[::2].astype(dtype))


def test_a_signal_is_a_drive(tmp_path):
    np.save(tmp_path / "signal.npy", TABLE)
    x, values = jn.io.read_signal(str(tmp_path / "signal.npy"))
    weights = jnp.array([0.05, 3.0])
    time = jn.Tabulated(values, t=x)(jnp.asarray(0.05), weights)
    np.testing.assert_allclose(time, [2, 2], rtol=1e-6)
    weight = jn.Tabulated(values, w=x)(jnp.asarray(0.0), weights)
    np.testing.assert_allclose(weight, [2, 2], rtol=1e-6)


WRONG = {
    "signal.npy: 1 rows of numbers; a signal must have at least 2": TABLE[:1],
    "signal.npy, row 0: '0.0' has 1 columns; a row must have 2": TABLE[:, 0],
    "signal.npy, row 1: 0.1 follows 2.5; the column of t must increase": TABLE[::-1],
    "signal.npy, row 2: 'nan' must be finite": np.where(TABLE == 2, np.nan, TABLE),
    "signal.npy: must be an array of real numbers with one or two axes": np.array(["text"]),
    "signal.npy: must be an array of real numbers with one": TABLE[None],
    "signal.npy: must be an array of real numbers": 1j * TABLE,
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_arrays_are_refused(tmp_path, message):
    np.save(tmp_path / "signal.npy", WRONG[message])
    with pytest.raises(ValueError, match="must") as caught:
        jn.io.read_signal(tmp_path / "signal.npy")
    assert str(caught.value).startswith(str(tmp_path))
    assert message in str(caught.value)


def test_what_is_no_array_is_refused(tmp_path):
    path = tmp_path / "signal.npy"
    with pytest.raises(ValueError, match="must be a readable file"):
        jn.io.read_signal(path)
    np.save(path, np.array([{}]), allow_pickle=True)
    whole = path.read_bytes()
    np.save(path, TABLE)
    for content in (b"", b"t,I\n0,1\n", whole, path.read_bytes()[:-8]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"must be an array of real numbers .* numpy\.save"):
            jn.io.read_signal(path)
