"""What does a plan cost? Training or serving a model over many devices: time, memory, and what the time is spent on.

Data flows in this order: `layers` is the model as a plan sees it, sublayer by sublayer, per sample; `shapes` makes it from sizes, `extracting` from any
workload's operator table; `plan` is the words of a plan, `tasks` what is done with the model; `placing` checks both against a system. Two modes answer:
`compat` is the published model of MAD-Max to the letter, quirks and all; `physical` is the calibrated one. Both give an `Evaluation`.
"""
