"""A guard that ends our processes if we die without having ended them ourselves.

It is a shell that reads from a pipe whose other end only we hold: whatever ends us, SIGKILL
included, ends the pipe. The kernel's own means, a signal upon the parent's death, asks for the
thread that started the process, which need not live as long as we do.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

# A number may have been given to somebody else since: only what names the directory is ours.
_SCRIPT = r"""
pids=
while read -r pid; do pids="$pids $pid"; done
for pid in $pids; do
  if grep -qsF -- "$1" "/proc/$pid/cmdline"; then kill -s KILL -- "-$pid"; fi
done
rm -rf -- "$1" 2>/dev/null || { sleep 1; rm -rf -- "$1"; }
"""


class Guard:
    """Kills process groups and removes a directory once this process is gone.

    Args:
        directory: removed in the end; the command line of every guarded process names it.
    """

    def __init__(self, directory: Path) -> None:
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT, "guard", str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, pid: int) -> None:
        """Guard the process group that this process leads."""
        assert self._shell.stdin is not None
        self._shell.stdin.write(b"%d\n" % pid)
        self._shell.stdin.flush()

    def dismiss(self) -> None:
        """End the guard without it doing anything: we have ended everything ourselves."""
        # In this order: the end of the pipe is its sign to act.
        self._shell.kill()
        self._shell.wait()
        assert self._shell.stdin is not None
        self._shell.stdin.close()
