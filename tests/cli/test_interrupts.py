"""Ctrl-C, a reader that goes away and a disk that is full: real signals, real pipes, real limits on real processes."""

import os
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest
from run_cli import LOGITKIT, labelled, refused, spawn, write_csv

from logitkit.tables import read_table

STOPPED = "Stopped by Ctrl-C; no half-written file is left.\n"


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


def interrupted(arguments, ready, stdin=None):
    """Run, send SIGINT as soon as `ready()` is true, and return the exit code, the standard error and the seconds."""
    process = subprocess.Popen(
        [LOGITKIT, *map(str, arguments)], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 60
    while not ready(process):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise AssertionError(process.communicate())
        time.sleep(0.02)
    asked = time.monotonic()
    process.send_signal(signal.SIGINT)
    try:
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, err.decode(), time.monotonic() - asked


def cpu_seconds(process):
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_waiting(process):
    """It has imported its libraries and does nothing."""
    before = cpu_seconds(process)
    time.sleep(0.5)
    return cpu_seconds(process) == before > 0.3


@pytest.fixture(scope="module")
def some_data(tmp_path_factory):
    return write_csv(tmp_path_factory.mktemp("some") / "some.csv", labelled(2_000) * 5)


@pytest.fixture(scope="module")
def long_data(tmp_path_factory):
    """A hundred thousand rows, on which 500 passes take minutes."""
    rows = labelled(2_000)
    lines = [f"{row['text']} {row['text'][::-1]},{row['label']}" for row in rows]
    path = tmp_path_factory.mktemp("long") / "long.csv"
    path.write_text("\n".join(["text,label", *lines * 50]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("cpu", [2.0, 4.0, 6.0])
def test_ctrl_c_during_training(tmp_path, long_data, model, cpu):
    """While it reads, counts, weighs or trains, in one thread or two."""
    out = tmp_path / "m.logitkit"
    arguments = ["train", long_data, "-o", out, "--epochs", "500"]
    if cpu == 4.0:
        out.write_bytes(model.read_bytes())
        arguments.append("--force")
    code, err, seconds = interrupted(arguments, lambda process: cpu_seconds(process) > cpu)
    assert code == 130 and err == STOPPED and seconds < 15
    assert files_in(tmp_path) == ["m.logitkit"] * (cpu == 4.0)
    assert cpu != 4.0 or out.read_bytes() == model.read_bytes()


def test_ctrl_c_during_writing(tmp_path, long_data, model):
    folder = tmp_path / "out"
    folder.mkdir()
    out = folder / "o.csv"
    out.write_text("mine")

    def is_writing(_):
        return any(path.name.startswith(".o.csv.tmp-") and path.stat().st_size > 1 << 20 for path in folder.iterdir())

    code, err, _ = interrupted(["predict", model, long_data, "-o", out, "--force", "--prefix", "p_"], is_writing)
    assert code == 130 and err == STOPPED
    assert files_in(folder) == ["o.csv"] and out.read_text() == "mine"


def test_ctrl_c_while_waiting_for_a_pipe(model):
    code, err, seconds = interrupted(["predict", model, "-"], is_waiting, stdin=subprocess.PIPE)
    assert code == 130 and err == STOPPED and seconds < 5


def test_a_reader_that_goes_away(model, some_data):
    command = [LOGITKIT, "predict", str(model), str(some_data), "--prefix", "p_"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == b'"text","label","p_label","p_probability","p_decision","p_reason"\n'
    process.stdout.close()
    err = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(60) == 1 and err == ""
    for arguments in (["info", model], ["info", model, "--json"], ["softmax", "1", "2"]):
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(
            [LOGITKIT, *map(str, arguments)], stdout=write, stderr=subprocess.PIPE, timeout=60, check=False
        )
        os.close(write)
        assert done.returncode == 1 and done.stderr == b""


def small_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, 4_096))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def test_a_disk_that_is_full(tmp_path, model, data, some_data):
    """The limit on the size of a file makes the system refuse the write half-way, as a full disk does."""
    for name, arguments in (
        ("m.logitkit", ["train", data, "--epochs", "1"]),
        ("o.csv", ["predict", model, data, "--prefix", "p_"]),
        ("o.parquet", ["predict", model, some_data, "--prefix", "p_"]),
        ("o.csv.gz", ["predict", model, some_data, "--prefix", "p_"]),
    ):
        (tmp_path / name).write_text("mine")
        result = spawn(*arguments, "-o", tmp_path / name, "--force", preexec_fn=small_files)
        refused(result, name, "cannot be written: the file would exceed the size that this system allows", code=1)
        assert files_in(tmp_path) == [name] and (tmp_path / name).read_text() == "mine"
        (tmp_path / name).unlink()
    assert spawn("predict", model, data, "-o", tmp_path / "n.csv", "--prefix", "p_", preexec_fn=small_files).code == 1
    assert files_in(tmp_path) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")  # noqa: PTH110
def test_a_standard_output_that_is_full(model, data):
    for arguments in (
        ["predict", model, data, "--prefix", "p_"],
        ["info", model],
        ["info", model, "--json"],
        ["softmax", "1"],
    ):
        with open("/dev/full", "wb") as full:  # noqa: PTH123
            done = subprocess.run(
                [LOGITKIT, *map(str, arguments)], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False
            )
        err = done.stderr.decode()
        assert done.returncode == 1 and err.count("\n") == 1, err
        assert err in (
            "Error: The system refused a read or a write: no space left on device.\n",
            "Error: The system refused a read or a write: [errno 28] no space left on device.\n",
        )
    refused(
        spawn("predict", model, data, "-o", "/dev/full", "--format", "csv", "--prefix", "p_"),
        "the disk is full",
        code=1,
    )


def test_skipped_rows_do_not_outlive_a_failure(tmp_path, model):
    rows = labelled(10)
    data = write_csv(tmp_path / "a.csv", rows)
    data.write_text(data.read_text() + "one field\n" + '"open')
    result = spawn("predict", model, data, "-o", tmp_path / "o.csv", "--on-bad-row", "skip", "--prefix", "p_")
    if result.code == 0:
        assert read_table(tmp_path / "o.csv").num_rows == 10
        assert read_table(tmp_path / "o.csv.bad-rows.csv").num_rows == 2
    else:
        refused(result, "a.csv")
        assert files_in(tmp_path) == ["a.csv"]
