"""Built-in procedures (``CALL``) and the tables behind ``SHOW``."""

from everwhen.exec.procedures.builtin import PROCEDURES
from everwhen.exec.procedures.definition import ProcedureDefinition, ProcedureField
from everwhen.exec.procedures.tables import SHOW_TABLES, ShowTable

__all__ = [
    "PROCEDURES",
    "SHOW_TABLES",
    "ProcedureDefinition",
    "ProcedureField",
    "ShowTable",
]
