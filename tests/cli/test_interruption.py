"""Ctrl-C at a terminal ends the command and its worker processes."""

import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

MODULE = [sys.executable, "-m", "radiodeep"]


@pytest.mark.slow  # starts worker processes and waits for them to end
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="there are no process groups on Windows")
@pytest.mark.parametrize("after_s", [0.0, 0.3, 3.0])
def test_ctrl_c_of_a_terminal_leaves_no_worker_and_no_traceback(after_s, known, tmp_path):
    frame = pd.read_csv(known)
    for column in ("image", "mask"):
        frame[column] = [str(known.resolve().parent / name) for name in frame[column]]
    copies = [frame.assign(id=frame["id"] + f"-{number}") for number in range(6)]  # more than can be done in 3 s
    pd.concat(copies).to_csv(tmp_path / "many.csv", index=False)
    command = [*MODULE, "extract", tmp_path / "many.csv", "-o", tmp_path / "t.csv", "--features", "handcrafted"]
    command += ["--jobs", "2", "--image-types", "Original,Wavelet,LBP3D,Gradient"]
    started = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored in jobs in the background
    )
    while started.poll() is None and n_in_group(started.pid) < 3:  # it, and two that track resources of workers
        time.sleep(0.02)
    time.sleep(after_s)
    os.killpg(started.pid, signal.SIGINT)
    _, err = started.communicate(timeout=60)
    assert started.returncode == 130
    assert err.startswith("Interrupted.\n")
    assert "Traceback" not in err
    for _ in range(50):
        if not n_in_group(started.pid):
            break
        time.sleep(0.1)
    assert n_in_group(started.pid) == 0


def n_in_group(group):
    """Return how many processes of a process group are running."""
    done = subprocess.run(["ps", "-eo", "pgid=,stat="], capture_output=True, text=True, check=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    return sum(int(number) == group and not state.startswith("Z") for number, state in rows)
