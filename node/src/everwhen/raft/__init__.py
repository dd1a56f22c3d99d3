"""The consensus core: what a member of a group does with time, messages and proposals.

Semantics and names are those of etcd's raft, whose transcripts judge it (``tests/raft``). Pure: no
clock, no input or output, no randomness of its own. ``RawNode`` is what a driver uses; entries are
opaque bytes.
"""

from everwhen.raft.confchange import ChangeRefused as ChangeRefused
from everwhen.raft.confchange import ConfChange as ConfChange
from everwhen.raft.confchange import ConfChangeSingle as ConfChangeSingle
from everwhen.raft.confchange import ConfChangeType as ConfChangeType
from everwhen.raft.confchange import ConfChangeV2 as ConfChangeV2
from everwhen.raft.confchange import Transition as Transition
from everwhen.raft.config import Config as Config
from everwhen.raft.memory_storage import MemoryStorage as MemoryStorage
from everwhen.raft.node import RawNode as RawNode
from everwhen.raft.progress import Progress as Progress
from everwhen.raft.progress import ProgressState as ProgressState
from everwhen.raft.read_only import ReadOnlyOption as ReadOnlyOption
from everwhen.raft.storage import Storage as Storage
from everwhen.raft.types import LOCAL_APPEND as LOCAL_APPEND
from everwhen.raft.types import LOCAL_APPLY as LOCAL_APPLY
from everwhen.raft.types import NO_LIMIT as NO_LIMIT
from everwhen.raft.types import NO_NODE as NO_NODE
from everwhen.raft.types import Compacted as Compacted
from everwhen.raft.types import ConfState as ConfState
from everwhen.raft.types import Entry as Entry
from everwhen.raft.types import EntryType as EntryType
from everwhen.raft.types import HardState as HardState
from everwhen.raft.types import Message as Message
from everwhen.raft.types import MessageType as MessageType
from everwhen.raft.types import ProposalDropped as ProposalDropped
from everwhen.raft.types import ReadState as ReadState
from everwhen.raft.types import Ready as Ready
from everwhen.raft.types import Snapshot as Snapshot
from everwhen.raft.types import SnapshotMetadata as SnapshotMetadata
from everwhen.raft.types import SnapshotTemporarilyUnavailable as SnapshotTemporarilyUnavailable
from everwhen.raft.types import SoftState as SoftState
from everwhen.raft.types import StateType as StateType
from everwhen.raft.types import StepRefused as StepRefused
from everwhen.raft.types import Unavailable as Unavailable
from everwhen.raft.wire import decode_conf_change as decode_conf_change
from everwhen.raft.wire import decode_conf_state as decode_conf_state
from everwhen.raft.wire import decode_hard_state as decode_hard_state
from everwhen.raft.wire import decode_message as decode_message
from everwhen.raft.wire import encode_conf_change as encode_conf_change
from everwhen.raft.wire import encode_conf_state as encode_conf_state
from everwhen.raft.wire import encode_hard_state as encode_hard_state
from everwhen.raft.wire import encode_message as encode_message
