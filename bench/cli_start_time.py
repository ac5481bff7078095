"""`thrifty --help` takes less than half a second, the interpreter's own start included."""

import subprocess
import sys

from _claim import in_turns, report, spread

LIMIT_S = 0.5


def command(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "thrifty", *words], check=True, stdout=subprocess.DEVNULL)


seconds = in_turns({"help": lambda: command("--help"), "formats": lambda: command("formats"), "doctor": lambda: command("doctor")}, repeats=15)
spreads = {f"{name}_s": spread(samples) for name, samples in seconds.items()}
report("thrifty --help < 0.5 s", spreads["help_s"]["median"] < LIMIT_S, spreads, "typer")
