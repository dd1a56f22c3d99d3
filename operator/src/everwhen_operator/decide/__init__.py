"""What to do next: pure, total, one rule a function."""

from everwhen_operator.decide.order import SETTLED as SETTLED
from everwhen_operator.decide.order import decide as decide
