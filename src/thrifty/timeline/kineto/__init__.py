"""Traces of real runs, as a profiler wrote them, in columns: millions of events in a tenth of their JSON.

Data flows in this order: `streaming` takes the file block by block and `scanning` finds the events in it (`compiled` is the fast way through), `columns`
keeps them, `reading` puts it together; `nesting` tells what ran inside what, `links` which operator and module launched which kernel, `breakdowns` where the
time went and when a stream stood idle.
"""
