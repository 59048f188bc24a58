"""sidecar: runs the program and looks at its log, its exit status and its use of the machine."""

import json
import os
import shlex
import signal
import subprocess
from pathlib import Path

from .wait import until

ROOT = Path(__file__).resolve().parents[3]

# What the sanitizers, valgrind and coverage need to find in the environment.
PASSED_ON = ("PATH", "HOME", "LANG", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS",
             "LSAN_OPTIONS", "LLVM_PROFILE_FILE", "GCOV_PREFIX", "VALGRIND_OPTS")


# What came in is the sum of these.
ACCOUNTS = ("written", "superseded", "filtered", "invalid", "dead_lettered", "pending", "unsaved",
            "quarantined")
SOURCES = ("received", "swept", "repeated")


def command():
    """The program under test; SHIPPER may hold words in front of it ("valgrind -q build/...")."""
    return shlex.split(os.environ.get("SHIPPER", str(ROOT / "build" / "kubedl-shipper")))


def sanitized():
    """The sanitizers need memory of their own."""
    return b"__asan_init" in Path(command()[-1]).read_bytes()


def environment(settings):
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**passed_on, "LOG_FORMAT": "json", **settings}


def heed_signals():
    """A shell may have these tests run in the background, which has SIGINT ignored."""
    for sig in (signal.SIGINT, signal.SIGHUP):
        signal.signal(sig, signal.SIG_DFL)


def run(*arguments, settings=None, stdin=b"", timeout=60):
    """Runs the program to its end; the result has .returncode, .stdout and .stderr (text)."""
    result = subprocess.run(
        [*command(), *arguments], input=stdin, env=environment(settings or {}),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout,
    )
    result.stdout = result.stdout.decode()
    result.stderr = result.stderr.decode()
    return result


class Sidecar:
    """One process. stdin: a file or descriptor, for EVENT_SOURCE=-."""

    def __init__(self, directory, settings, number=0):
        self.settings = settings
        self.log = Path(directory) / f"sidecar-{number}.log"
        self.process = None
        self.rc = None
        self.dumped_core = False
        self.usage = None  # struct rusage once it has ended
        self.peak_kib = 0  # of resident memory, as of the last look

    def start(self, *arguments, stdin=subprocess.DEVNULL, stderr=None, shell=None):
        """stderr: a file or descriptor instead of the log. shell: words of a shell around it, with "$@"
        for the program and its arguments."""
        around = ["sh", "-c", f"exec {shell}", "sh"] if shell else []
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*around, *command(), *arguments], env=environment(self.settings),
                stdin=stdin, stdout=log, stderr=stderr if stderr is not None else log,
                preexec_fn=heed_signals
            )
        return self

    @property
    def pid(self):
        return self.process.pid

    def poll(self):
        """The exit status, or None while it runs; a signal n is -n."""
        if self.rc is None:
            self._look_at_memory()
            pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
            if pid != 0:
                self.rc = os.waitstatus_to_exitcode(status)
                self.dumped_core = os.WCOREDUMP(status)
                self.process.returncode = self.rc
                self.usage = usage
        return self.rc

    def wait(self, seconds=120):
        """Waits for its end by itself."""
        until(lambda: self.poll() is not None,
              lambda: f"the sidecar ends; its log:\n{self.log_tail()}", seconds)
        return self.rc

    def signal(self, sig):
        assert self.poll() is None, f"the sidecar has ended ({self.rc}):\n{self.log_tail()}"
        os.kill(self.pid, sig)  # Popen would reap a process that has just ended

    def stop(self, seconds=120):
        """SIGTERM; returns the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def kill(self):
        """kill -9."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()

    # What it says

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def log_tail(self, size=6000):
        """The end of the log, for a person; of its many summaries only the last one."""
        lines = self.log_text().splitlines(keepends=True)
        summaries = [line for line in lines if '"msg":"summary"' in line]
        return "".join(line for line in lines if line not in summaries[:-1])[-size:]

    def records(self, message=None, **fields):
        """The records of the log, those with this message and these fields."""
        result = []
        for line in self.log_text().splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue  # a line that is being written, or not a record
            if message is not None and record.get("msg") != message:
                continue
            if all(record.get(key) == value for key, value in fields.items()):
                result.append(record)
        return result

    def wait_for_record(self, message, seconds=60, **fields):
        """Waits for such a record, and returns the last one."""
        def found():
            records = self.records(message, **fields)
            assert records or self.poll() is None, (
                f"the sidecar has ended ({self.rc}):\n{self.log_tail()}")
            return records

        return until(found, lambda: f"a record {message!r} {fields}:\n{self.log_tail()}",
                     seconds)[-1]

    def summary(self):
        """The last account that it gave of what it got and what became of it, or None."""
        records = [r for r in self.records() if r.get("msg") in ("summary", "stopped")]
        return records[-1] if records else None

    def wait_until_received(self, received):
        self._wait_for_summary(f"{received} documents are received",
                               lambda last: last["received"] >= received)

    def wait_until_written(self, received):
        """Waits until it has got that many documents and holds nothing back."""
        self._wait_for_summary(f"{received} documents are written", lambda last:
                               last["received"] >= received and last["pending"] == 0)

    def _wait_for_summary(self, what, condition):
        def holds():
            assert self.poll() is None, f"the sidecar has ended:\n{self.log_tail()}"
            last = self.summary()
            return last and condition(last)

        until(holds, lambda: f"{what}:\n{self.log_tail()}")

    def accounts(self):
        """Its last account, which has to add up. After its end."""
        records = self.records("stopped")
        assert len(records) == 1, self.log_tail()
        last = records[0]
        assert last["balanced"] == "yes", last
        assert sum(last[part] for part in SOURCES) == sum(last[part] for part in ACCOUNTS), last
        return last

    def fates(self):
        """How many documents were not recorded, by reason. After its end."""
        records = self.records("documents not recorded, by reason")
        return {name: value for name, value in records[-1].items() if isinstance(value, int)} \
            if records else {}

    # What it costs

    def cpu_seconds(self):
        if self.usage is not None:
            return self.usage.ru_utime + self.usage.ru_stime
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _look_at_memory(self):
        # Not from the rusage: its peak is at least what this Python had when it forked.
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return
        for line in status.splitlines():
            if line.startswith("VmHWM:"):
                self.peak_kib = int(line.split()[1])
