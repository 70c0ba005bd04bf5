"""A strict stand-in for a Draw Things server: to try things without one, and to test.

    python -m dt_core.simulator --no-tls

speaks the same protocol as gRPCServerCLI, draws what was asked in place of computing it,
says what the real server ignores in silence, and refuses what would crash it.
"""

from .inventory import Catalog
from .record import Outcome, Record
from .service import Simulator

__all__ = ["Catalog", "Outcome", "Record", "Simulator"]
