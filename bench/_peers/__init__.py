"""Other packages asked the same questions as ours: rows of `carbon_peers.py`.

`rows` holds a row (theirs, ours, and steps that take the difference apart); `boavizta_app` runs in whichever interpreter has boaviztapi and needs nothing of
ours, `asking` starts it; `parts` and `running` compare boaviztapi, `meters` codecarbon, `requests` ecologits; `slips` are inputs that should be refused.
"""
