"""When, where and how long to run, what supply to build, what to reuse: decisions about carbon, each with a bound on how good it could be.

After "Carbon Connect: An Ecosystem for Sustainable Computing" (Lee et al., 2024). Everything is priced by `cost.carbon`.
"""
