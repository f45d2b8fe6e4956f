"""Runs a command as its child, and prints what it used: ``python -S benchmarks/peers/launcher.py LOG COMMAND…``.

Linux counts the memory of the process that starts another one as if the other had used it. So this imports next to nothing. The child's
output goes to the file LOG. SIGTERM is passed on, from the first line of the output on, which is the child's number.
"""

import json
import os
import signal
import sys


def main(log: str, *command: str) -> None:
    """Waits for the command; prints its exit code, seconds of processor time and the most bytes of memory as one line of JSON."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # until it can be passed on
    child = os.fork()
    if not child:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.execvp(command[0], command)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    print(child, flush=True)
    _, status, used = os.wait4(child, 0)
    code = os.waitstatus_to_exitcode(status)
    print(json.dumps({"code": code, "cpu": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss * 1024}))


if __name__ == "__main__":
    main(*sys.argv[1:])
