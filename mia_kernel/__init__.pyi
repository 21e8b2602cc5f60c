"""What a type checker sees of the lazy front door."""

from mia_kernel.core.instrument import Instrument as Instrument
from mia_kernel.desk import Desk as Desk
from mia_kernel.desk import attach as attach
from mia_kernel.desk import day as day
from mia_kernel.desk import options as options
from mia_kernel.desk.holdings import holdings as holdings
from mia_kernel.desk.holdings import sql as sql
from mia_kernel.desk.learning import model as model
from mia_kernel.desk.learning import study as study
from mia_kernel.desk.likeness import likeness as likeness
from mia_kernel.desk.review import post_mortem as post_mortem
from mia_kernel.desk.review import review as review
from mia_kernel.desk.review import week as week
from mia_kernel.features.spec import feature as feature
from mia_kernel.settings import Settings as Settings

__version__: str
__all__: list[str]
