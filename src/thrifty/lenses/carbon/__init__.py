"""Who emits what, and when? A ledger of carbon by asset, phase, scope, hour and tenant; its division among tenants; and reports that need it.

After "Carbon Connect: An Ecosystem for Sustainable Computing" (Lee et al., 2024), a programme of what is missing: this room and `levers.steward` are
that programme as working software. The models that price carbon stand below, in `cost.carbon`.
"""
