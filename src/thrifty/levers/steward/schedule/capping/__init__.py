"""Devices under power caps: what they still do, who waits, and which caps are best."""

from thrifty.levers.steward.schedule.capping.controlling import Controlled, best_caps
from thrifty.levers.steward.schedule.capping.queueing import Served, serve
from thrifty.levers.steward.schedule.capping.responding import Response, respond
from thrifty.levers.steward.schedule.capping.throughput import CappedDevice

__all__ = ["CappedDevice", "Controlled", "Response", "Served", "best_caps", "respond", "serve"]
