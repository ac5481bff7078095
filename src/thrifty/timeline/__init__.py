"""When does what run? Tasks on streams that wait for each other, solved for many configurations at once, and the trace files that other tools read.

In the order of data: `tasks` (a `Task` lasts some time on a stream and waits for others; a `Repeated` body is issued many times) are compiled to a
`TaskGraph` (`graphs`, `programs`), which `solving` turns into a `Schedule` (`planned`) of millions of configurations: one max-plus recurrence, run by
`kernels` over blocks of configurations, by `plain` without Numba. Repeated bodies are not unrolled: `looping` runs them until they are periodic, proves
it, and jumps. A schedule knows its makespan, what is exposed and what is hidden, its critical path, and how much of it each stream and kind holds.

    start(e) = max(end of the task before e on its stream, ends of all that e waits for);   end(e) = start(e) + duration(e)

It is the scheduler of MAD-Max (arXiv 2310.02784), with identities in place of names that are searched for. `variation` gives durations a distribution
and samples them; `spreads` says what came out (percentiles with the interval of the 95th).

An `Event` is one piece of work that has its time, measured or planned; a `Counter` is a quantity over time (watts, bytes held). `traces` writes them as
Chrome trace JSON, which Perfetto, `chrome://tracing` and the readers of torch.profiler's files open, and reads them back.

Traces of real runs hold millions of events; `kineto` reads them into columns as the file goes by, and tells what ran inside what, who launched which
kernel, and when a stream stood idle.

Not known here: how long anything takes (`thrifty.cost` says), and streams that slow each other down: a duration is a number, so that contention has to
be in it.
"""

from thrifty.timeline.events import Counter, Event
from thrifty.timeline.graphs import TaskGraph
from thrifty.timeline.kineto.reading import KinetoTrace, read_kineto
from thrifty.timeline.planned import Schedule
from thrifty.timeline.solving import schedule
from thrifty.timeline.spreads import Spread
from thrifty.timeline.tasks import Repeated, Task
from thrifty.timeline.traces import read_chrome_trace, write_chrome_trace
from thrifty.timeline.variation import Variation, sample

__all__ = [
    "Counter", "Event", "KinetoTrace", "Repeated", "Schedule", "Spread", "Task", "TaskGraph", "Variation", "read_chrome_trace", "read_kineto", "sample",
    "schedule", "write_chrome_trace",
]  # fmt: skip
