"""When does what run? Events on streams of devices, and the trace files that other tools read.

An `Event` is one piece of work on one stream of one device; a `Counter` is a quantity over time (watts, bytes held). `traces` writes them as
Chrome trace JSON, which Perfetto, `chrome://tracing` and the readers of torch.profiler's files open, and reads them back.

Traces of real runs hold millions of events; `kineto` reads them into columns as the file goes by, and tells what ran inside what, who launched which
kernel, and when a stream stood idle.

Not known here yet: dependencies. The scheduler that solves when each event starts, for many configurations at once, joins this package with
`thrifty.parallelize`; it will make the same events, so that whatever shows a measured run shows a planned one too.
"""

from thrifty.timeline.events import Counter, Event
from thrifty.timeline.kineto.reading import KinetoTrace, read_kineto
from thrifty.timeline.traces import read_chrome_trace, write_chrome_trace

__all__ = ["Counter", "Event", "KinetoTrace", "read_chrome_trace", "read_kineto", "write_chrome_trace"]
