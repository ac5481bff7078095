"""Carbon joined with delay and energy in one number; the design of the least is the best. Arrays in, arrays out, any shapes that broadcast.

    CDP  = C · D        CEP  = C · E        C²EP = C² · E        CE²P = C · E²          C embodied (Gupta et al., ACT, ISCA 2022)
    tCDP = (share · C + operational) · D    tCEP = (...) · E                            (Elgamal et al., CORDOBA, HPCA 2025)

CDP balances carbon with speed, CEP with energy; C²EP is for use whose carbon is mostly embodied, CE²P for use whose carbon is mostly operational.
Units are products (gCO2e·s, gCO2e·J, ...): only ratios between designs mean something.
"""

from __future__ import annotations

import numpy.typing as npt

from thrifty.cost.carbon.metrics.doors import Floats, amounts, shares


def cdp(embodied_gco2e: npt.ArrayLike, delay_s: npt.ArrayLike) -> Floats:
    """Carbon-delay product, gCO2e·s. Raises BadValue for what is negative or not finite, as all here."""
    c, d = amounts(embodied_gco2e=embodied_gco2e, delay_s=delay_s)
    return c * d


def cep(embodied_gco2e: npt.ArrayLike, energy_j: npt.ArrayLike) -> Floats:
    """Carbon-energy product, gCO2e·J."""
    c, e = amounts(embodied_gco2e=embodied_gco2e, energy_j=energy_j)
    return c * e


def c2ep(embodied_gco2e: npt.ArrayLike, energy_j: npt.ArrayLike) -> Floats:
    """Carbon² · energy, gCO2e²·J."""
    c, e = amounts(embodied_gco2e=embodied_gco2e, energy_j=energy_j)
    return c * c * e


def ce2p(embodied_gco2e: npt.ArrayLike, energy_j: npt.ArrayLike) -> Floats:
    """Carbon · energy², gCO2e·J²."""
    c, e = amounts(embodied_gco2e=embodied_gco2e, energy_j=energy_j)
    return c * e * e


def total_carbon(embodied_gco2e: npt.ArrayLike, operational_gco2e: npt.ArrayLike, life_share: npt.ArrayLike = 1.0) -> Floats:
    """share · embodied + operational, gCO2e. `life_share`: part of the life that the work takes, from 0 to 1."""
    c, o = amounts(embodied_gco2e=embodied_gco2e, operational_gco2e=operational_gco2e)
    (share,) = shares(life_share=life_share)
    return share * c + o


def tcdp(embodied_gco2e: npt.ArrayLike, operational_gco2e: npt.ArrayLike, delay_s: npt.ArrayLike, life_share: npt.ArrayLike = 1.0) -> Floats:
    """Total carbon · delay, gCO2e·s."""
    (d,) = amounts(delay_s=delay_s)
    return total_carbon(embodied_gco2e, operational_gco2e, life_share) * d


def tcep(embodied_gco2e: npt.ArrayLike, operational_gco2e: npt.ArrayLike, energy_j: npt.ArrayLike, life_share: npt.ArrayLike = 1.0) -> Floats:
    """Total carbon · energy, gCO2e·J."""
    (e,) = amounts(energy_j=energy_j)
    return total_carbon(embodied_gco2e, operational_gco2e, life_share) * e
