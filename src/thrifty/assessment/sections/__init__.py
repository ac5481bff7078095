"""The parts of an assessment's page, one module each, in the order in which a reader meets them.

`answer` is the headline and what was said, `closeness` holds the model against the measurement, `spending` says where the time goes, `memory` what is
held, `roofline` how near each operator class is to its roof, `lenses` what each lens adds, `limits` what physics would allow, `elsewhere` other
devices, `sizes` other batches and lengths, `helping` what the levers offer, `ground` what energy and carbon stand on, `inputs` what made the page.
`words` is how they write.
"""
