"""A policy: algorithm, format of every site, keeping of every sum. Frozen, written as TOML or JSON, hashed into every report."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from thrifty.errors import BadFile, BadValue, UnknownName, unknown_name
from thrifty.files import strict_json, strict_toml
from thrifty.formats import Rounding, float_spec
from thrifty.lenses.numerics.policy.checks import LIST, choose, must_know
from thrifty.lenses.numerics.policy.operators import FAMILY as OPERATORS
from thrifty.lenses.numerics.policy.operators import above, is_operator_sum, must_know_operator
from thrifty.lenses.numerics.policy.options import Options, with_option
from thrifty.lenses.numerics.policy.rules import Rule
from thrifty.lenses.numerics.policy.sites import ACCUMULATORS, SITES

ALGORITHMS: Final = ("baseline", "fa1", "fa2", "fa3", "fa4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Algorithm, rules by site (or by what sites inherit from), accumulators, options."""

    name: str
    algorithm: str = "baseline"
    sites: Mapping[str, Rule] = field(default_factory=dict)
    accumulators: Mapping[str, str] = field(default_factory=dict)
    options: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        choose("algorithm", self.algorithm, ALGORITHMS)
        for site in self.sites:
            if site.split(".")[0] == OPERATORS:
                must_know_operator(site)
            else:
                must_know(site, [*SITES, *families(), OPERATORS, "*"], "site")
        for site in self.accumulators:
            if is_operator_sum(site):
                must_know_operator(site)
            else:
                must_know(site, [*ACCUMULATORS, "*"], "accumulator site")
        object.__setattr__(self, "sites", MappingProxyType(dict(self.sites)))
        object.__setattr__(self, "accumulators", MappingProxyType(dict(self.accumulators)))

    def rule(self, site: str) -> Rule:
        """Of a site: its own, or that of its family (``o`` for ``o.mul``), or that of ``*``, or the working format to nearest."""
        return next((self.sites[name] for name in (*above(site), "*") if name in self.sites), Rule())

    def rounding(self, site: str, working: str, seed: int = 0) -> Rounding:
        return self.rule(site).rounding_in(working, seed)

    def accumulator(self, site: str, working: str = "") -> str:
        """Spec of how a sum is kept. An operator's sum inherits: ``aten.mm.acc`` from ``aten.acc``.

        Where nothing is said it is ``fma:fp32``, or ``fma:fp64`` for a working format that FP32 does not hold.
        """
        names = [f"{name}.acc" for name in above(site.removesuffix(".acc"))] if is_operator_sum(site) else [site]
        usual = "fma:fp64" if working and not float_spec("fp32").holds(float_spec(working)) else "fma:fp32"
        return next((self.accumulators[name] for name in (*names, "*") if name in self.accumulators), usual)

    def override(self, *changes: str) -> Policy:
        """The same with some lines changed: ``o.store=fp32``, ``l.acc=sequential:bf16``, ``option.kv_order=reverse``, ``algorithm=fa2``."""
        made = self
        for change in changes:
            site, equals, text = (part.strip() for part in change.partition("="))
            if not equals or not text:
                raise BadValue(f"override '{change}' must be site=rule, such as o.store=fp32, l.acc=sequential:bf16 or option.kv_order=reverse.")
            made = made._changed(site, text)
        return replace(made, name=f"{self.name} with {', '.join(changes)}") if changes else made

    def _changed(self, site: str, text: str) -> Policy:
        if site == "algorithm":
            return replace(self, algorithm=text)
        if site.startswith("option."):
            return replace(self, options=with_option(self.options, site.removeprefix("option."), text))
        if site in ACCUMULATORS or site == "*.acc" or is_operator_sum(site):
            return replace(self, accumulators={**self.accumulators, "*" if site == "*.acc" else site: text})
        return replace(self, sites={**self.sites, site: Rule.read(text)})

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `from_dict` reads them."""
        return {
            "name": self.name, "algorithm": self.algorithm, "sites": {site: rule.write() for site, rule in sorted(self.sites.items())},
            "accumulators": dict(sorted(self.accumulators.items())), "options": asdict(self.options),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> Policy:
        """Raises BadValue or UnknownName for what is no policy."""
        for key in said:
            must_know(key, ["name", "algorithm", "preset", "sites", "accumulators", "options"], "key of a policy")
        if "preset" in said:
            from thrifty.lenses.numerics.policy.presets import preset

            base = preset(_text(said, "preset"))
        else:
            base = cls(name="policy")
        sites, accumulators, options = (_table(said, key) for key in ("sites", "accumulators", "options"))
        held = base.options
        for name, value in options.items():
            held = with_option(held, name, value)
        return replace(
            base, name=_text(said, "name") if "name" in said else base.name, algorithm=_text(said, "algorithm") if "algorithm" in said else base.algorithm,
            sites={**base.sites, **{site: Rule.read(_text(sites, site)) for site in sites}},
            accumulators={**base.accumulators, **{site: _text(accumulators, site) for site in accumulators}}, options=held,
        )  # fmt: skip

    @functools.cache  # noqa: B019 - frozen and small
    def hash(self, working: str = "") -> str:
        """First 16 hexadecimal digits of SHA-256 over what the policy does, its name left out, and the working format."""
        said = {**self.to_dict(), "name": "", "working": working and float_spec(working).name}
        return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]

    def __hash__(self) -> int:
        return hash(json.dumps(self.to_dict(), sort_keys=True))


def as_policy(said: str | Policy | Path) -> Policy:
    """A policy, a preset's name, or the path of a .toml or .json file. Raises UnknownName, BadFile, BadValue."""
    from thrifty.lenses.numerics.policy.presets import PRESETS, preset

    if isinstance(said, Policy):
        return said
    text = str(said)
    if text in PRESETS:
        return preset(text)
    path = Path(text)
    if path.suffix not in (".toml", ".json"):
        raise unknown_name("policy", text, PRESETS, LIST)
    read = strict_toml if path.suffix == ".toml" else strict_json
    try:
        found = read(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as why:
        raise BadFile(f"policy file '{path}' cannot be read: {why}. Give a .toml or .json file, or a preset.") from None
    except BadFile as why:
        raise BadFile(f"policy file '{path}' cannot be read: {why}.") from None
    if not isinstance(found, Mapping):
        raise BadFile(f"policy file '{path}' is no table of keys. Write name, algorithm, preset, [sites], [accumulators], [options].")
    try:
        return Policy.from_dict(found)
    except (BadValue, UnknownName) as why:
        raise BadFile(f"policy file '{path}': {why}") from None


def families() -> list[str]:
    """What sites inherit from: the part before the dot."""
    return sorted({site.split(".")[0] for site in SITES})


def _text(said: Mapping[str, Any], key: str) -> str:
    if not isinstance(said[key], str):
        raise BadValue(f"{key}={said[key]!r} must be a text.")
    return str(said[key])


def _table(said: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = said.get(key, {})
    if not isinstance(found, Mapping):
        raise BadValue(f"{key}={found!r} must be a table of names and rules.")
    return found
