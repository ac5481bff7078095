"""`import thrifty` takes less than 150 ms."""

import subprocess
import sys

from _claim import in_turns, report, spread

LIMIT_S = 0.150


def start(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)


# The bare interpreter runs in turns with the import, so that its own start is taken off.
seconds = in_turns({"bare": lambda: start("pass"), "thrifty": lambda: start("import thrifty")}, repeats=15)
added = spread([with_import - bare for with_import, bare in zip(seconds["thrifty"], seconds["bare"], strict=True)])
report("import thrifty < 150 ms", added["median"] < LIMIT_S, {"import_s": added, "interpreter_s": spread(seconds["bare"])})
