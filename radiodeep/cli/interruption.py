"""Ctrl-C: a KeyboardInterrupt in this process, and nothing in its workers."""

import signal
import threading


class Interruption:
    """Raises KeyboardInterrupt on Ctrl-C and records it in `has_come`: compiled code may turn it into another error."""

    def __init__(self):
        self.has_come = False
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as for background jobs of a shell
            signal.signal(signal.SIGINT, self._stop)

    def _stop(self, *_):
        self.has_come = True
        raise KeyboardInterrupt


def spare_workers(jobs):
    """Keep Ctrl-C from workers that start later, each of which would print a traceback.

    A terminal sends SIGINT to all processes of a command. This process blocks it, and its children inherit the block;
    a thread waits for the signal and passes it on to this process alone, as SIGUSR1. joblib ends the workers when the
    KeyboardInterrupt leaves its call. With `jobs=1` there are no workers.
    """
    if jobs == 1 or not hasattr(signal, "sigwait") or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        return
    from multiprocessing import resource_tracker

    from joblib.externals.loky.backend import resource_tracker as joblib_resource_tracker

    for tracker in (resource_tracker, joblib_resource_tracker):
        tracker.ensure_running()  # before the block, because its start unblocks SIGINT
    signal.signal(signal.SIGUSR1, signal.getsignal(signal.SIGINT))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    threading.Thread(target=_pass_on, args=[threading.get_ident()], daemon=True).start()


def _pass_on(main_thread):
    while True:
        signal.sigwait({signal.SIGINT})
        signal.pthread_kill(main_thread, signal.SIGUSR1)
