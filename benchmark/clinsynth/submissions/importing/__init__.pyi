from .importer import FORMATS as FORMATS
from .importer import format_of as format_of
from .importer import import_data as import_data
from .importer import is_hub_name as is_hub_name
from .session import ImportOptions as ImportOptions
from .session import ImportReport as ImportReport
from .session import Tally as Tally
from .session import pairs_of as pairs_of
