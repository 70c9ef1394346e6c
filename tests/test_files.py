"""Output files are whole or not there, whatever happens while they are written."""

import os
import resource
import shutil
import signal
import stat
import subprocess
import sys

import pytest

from logitkit.errors import OutputError
from logitkit.files import atomic_write


def test_the_file_appears_only_at_the_end(tmp_path):
    path = tmp_path / "out.bin"
    with atomic_write(path) as file:
        file.write(b"half")
        file.flush()
        assert not path.exists()
        assert len(list(tmp_path.iterdir())) == 1
        file.write(b" and whole")
    assert path.read_bytes() == b"half and whole"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("force", [False, True])
def test_an_exception_leaves_everything_as_it_was(tmp_path, error, force):
    path = tmp_path / "out.bin"
    if force:
        path.write_bytes(b"old")
    with pytest.raises(error), atomic_write(path, force=force) as file:
        file.write(b"new")
        raise error
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == [b"old"] * force


def test_an_existing_file_is_kept_without_force_and_replaced_with_it(tmp_path):
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    path.chmod(0o640)
    with pytest.raises(OutputError, match=r"out\.bin exists already; choose another name or pass --force"):
        atomic_write(path).__enter__()
    assert path.read_bytes() == b"old"
    with atomic_write(path, force=True) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_new_file_has_the_usual_permissions(tmp_path):
    before = os.umask(0o027)
    try:
        with atomic_write(tmp_path / "out.bin"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out.bin").stat().st_mode) == 0o640


def test_a_file_that_came_meanwhile_is_kept(tmp_path):
    path = tmp_path / "out.bin"
    with pytest.raises(OutputError, match="come into being"), atomic_write(path) as file:
        file.write(b"ours")
        path.write_bytes(b"theirs")
    assert path.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(OutputError, match="it is a folder"):
        atomic_write(tmp_path, force=True).__enter__()


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(OutputError, match=r"the folder .*/missing does not exist"):
        atomic_write(tmp_path / "missing" / "out.bin").__enter__()
    with pytest.raises(OutputError, match="is not a folder"):
        (tmp_path / "file").touch()
        atomic_write(tmp_path / "file" / "out.bin").__enter__()


@pytest.mark.skipif(os.name != "posix", reason="permissions are of POSIX")
def test_an_unwritable_folder_is_refused(tmp_path):
    if os.geteuid() == 0:
        folder = "/proc/self"  # no permission helps there, not even that of root
    else:
        folder = tmp_path / "closed"
        folder.mkdir(mode=0o500)
    with pytest.raises(OutputError, match="cannot be written"):
        atomic_write(f"{folder}/out.bin").__enter__()


def test_a_name_that_is_too_long_is_refused(tmp_path):
    with pytest.raises(OutputError, match="the name is too long"):
        atomic_write(tmp_path / ("n" * 300)).__enter__()
    with atomic_write(tmp_path / ("n" * 255)):
        pass
    with atomic_write(tmp_path / ("语" * 85)):
        pass


def test_a_link_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link.bin").symlink_to(tmp_path / "real" / "out.bin")
    with atomic_write(tmp_path / "link.bin") as file:
        file.write(b"through")
    assert (tmp_path / "link.bin").is_symlink()
    assert (tmp_path / "real" / "out.bin").read_bytes() == b"through"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_a_device_is_written_directly_and_says_when_it_is_full():
    with (
        pytest.raises(OutputError, match="/dev/full cannot be written: the disk is full"),
        atomic_write("/dev/full") as f,
    ):
        f.write(b"x")
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)  # noqa: PTH116


WRITE = """
import sys
from logitkit.errors import OutputError
from logitkit.files import atomic_write
try:
    with atomic_write(sys.argv[1], force=True) as file:
        for _ in range(64):
            file.write(bytes(1 << 20))
except OutputError as error:
    print(error)
"""


def test_a_file_beyond_the_limit_leaves_nothing(tmp_path):
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, 3 << 20))  # noqa: E731
    done = subprocess.run(
        [sys.executable, "-c", WRITE, path], check=False, preexec_fn=limit, capture_output=True, text=True
    )
    assert f"{path} cannot be written: the file would exceed" in done.stdout, done.stderr
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"old"


def test_a_full_disk_leaves_nothing(tmp_path):
    if not shutil.which("unshare"):
        pytest.skip("needs unshare")
    script = (
        'mount -t tmpfs -o size=2m none "$1" || exit 77; echo old >"$1/out.bin"; "$2" -c "$3" "$1/out.bin"; ls -A "$1"'
    )
    command = ["unshare", "-rm", "sh", "-c", script, "sh", tmp_path, sys.executable, WRITE]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip(f"no private mount here: {done.stderr}")
    assert "cannot be written: the disk is full" in done.stdout, done.stderr
    assert done.stdout.splitlines()[-1] == "out.bin"
    assert len(done.stdout.splitlines()) == 2


SLOW = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job may have inherited that it is ignored
from logitkit.files import atomic_write
with atomic_write(sys.argv[1], force=True) as file:
    file.write(bytes(3 << 20))
    print("writing", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_ctrl_c_and_a_crash_leave_the_old_file(tmp_path, how):
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    process = subprocess.Popen([sys.executable, "-c", SLOW, path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    with process:
        assert process.stdout.readline() == b"writing\n"
        process.send_signal(how)
        process.wait(30)
    assert path.read_bytes() == b"old"
    if how == signal.SIGINT:
        assert list(tmp_path.iterdir()) == [path]
