"""Every bound in one place: sizes in bytes unless the name says otherwise.

A bound that a user may change is a setting (``settings.py``) whose default stands here.
"""

from __future__ import annotations

from typing import Final

# --- numbers ---
INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1
#: ids of nodes and relationships that procedures make up begin here; none that is stored gets there
VIRTUAL_ID_FIRST: Final = 2**62

# --- query text ---
QUERY_TEXT_CHARS_MAX: Final = 1_000_000
#: nesting of expressions, subqueries and patterns; keeps recursive descent off the C stack
QUERY_DEPTH_MAX: Final = 100
#: height of one expression's tree, which grows without nesting too (1 + 1 + 1 …): whoever walks
#: a tree by recursion may use four Python frames a level
QUERY_HEIGHT_MAX: Final = 200
#: operators above each other in a plan: they run inside each other, each takes stack
PLAN_HEIGHT_MAX: Final = 300
PARAMETER_DEPTH_MAX: Final = 100
IDENTIFIER_CHARS_MAX: Final = 16_383
PLAN_CACHE_ENTRIES_MAX: Final = 1_000

# --- one statement ---
#: of what an error says: a value that it shows may be large
ERROR_TEXT_CHARS_MAX: Final = 4_000
STATEMENT_MEMORY_BYTES_MAX: Final = 1 << 30
#: rows between two looks at deadline, cancellation and memory
ROWS_PER_CHECK: Final = 256

#: rows of a read that is tried on the event loop, and how long such a try may take (seconds)
ROWS_AT_ONCE_MAX: Final = 250
AT_ONCE_SECONDS: Final = 0.1
#: a write goes on there for so long after its first stretch, because its thread would only wait
#: for the turns of others (seconds)
WRITE_AT_ONCE_SECONDS: Final = 0.004
#: runs of a plan in threads after one that was too long for the event loop
RUNS_IN_THREADS: Final = 20

#: seconds that one match of a regular expression may take, and of these how long it holds the
#: interpreter while nothing else can run
REGEX_SECONDS: Final = 1.0
REGEX_HELD_SECONDS: Final = 0.005
#: what a regular expression may come to (characters) once its repeats are laid out, and how many
#: are kept compiled
REGEX_SIZE_MAX: Final = 100_000
REGEX_KEPT: Final = 128

# --- values ---
STRING_BYTES_MAX: Final = 64 << 20
LIST_ELEMENTS_MAX: Final = 10_000_000
INDEXED_VALUE_BYTES_MAX: Final = 8_000
PROPERTIES_PER_ENTITY_MAX: Final = 10_000

# --- names in the record ---
LABELS_MAX: Final = 65_535
RELATIONSHIP_TYPES_MAX: Final = 65_535
PROPERTY_KEYS_MAX: Final = 1_000_000

# --- reading the record ---
#: decoded column segments kept in memory
SEGMENT_CACHE_BYTES: Final = 256 << 20
#: decoded nodes, and as many relationships, that one snapshot keeps
SNAPSHOT_CACHE_ENTRIES: Final = 16_384
#: snapshots of the newest version kept for the next short reads
SNAPSHOTS_KEPT_MAX: Final = 4
#: snapshots of older versions kept for the next reads of the same, and decoded things in all of them
PAST_SNAPSHOTS_KEPT_MAX: Final = 256
PAST_IMAGES_KEPT_MAX: Final = 65_536

#: graphs of single moments that a range of time keeps at once
RANGE_SNAPSHOTS: Final = 256

# --- change capture ---
#: readers of changes that one node serves at once
CHANGES_READERS_MAX: Final = 64
#: records of one answer, and bytes after which it ends whatever their number
CHANGES_LIMIT_DEFAULT: Final = 1_000
CHANGES_LIMIT_MAX: Final = 10_000
CHANGES_BATCH_BYTES: Final = 1 << 20
#: changes looked at in one turn of a thread, wanted or not
CHANGES_EXAMINED_MAX: Final = 20_000
#: labels and types that one reader may name
CHANGES_NAMES_MAX: Final = 100
#: seconds that a request waits for changes
CHANGES_WAIT_DEFAULT: Final = 10.0
CHANGES_WAIT_MAX: Final = 60.0
#: seconds without a change after which a stream says that it is still there
CHANGES_HEARTBEAT_SECONDS: Final = 10.0

# --- the image ---
#: columns and vectors kept in memory, where nobody says how much memory there is
IMAGE_BYTES_DEFAULT: Final = 2 << 30
#: elements read by whoever asks for columns first; more are read in the background
IMAGE_SMALL_ELEMENTS: Final = 200_000
#: from so many elements on a checkpoint is kept beside the record
IMAGE_SAVED_ELEMENTS: Final = 50_000
#: changes followed at once by whoever asks for columns
IMAGE_FOLLOW_CHANGES_MAX: Final = 100_000
#: commits a column follows at once; behind by more it is made anew when it is wanted
IMAGE_FOLLOW_VERSIONS_MAX: Final = 2_000
#: changes up to which an older version is always reached by walking back; beyond them the graph of
#: then may be read as a second image
IMAGE_FAR_CHANGES_MIN: Final = 100_000
#: looks in the background, five a second, after which a second image that nobody used goes
IMAGE_FAR_LOOKS: Final = 3_000

# --- full-text indexes ---
#: commits a full-text index follows; older ones, and one that is behind by more, are read anew
TEXT_FOLLOW_VERSIONS_MAX: Final = 2_000
#: properties of one full-text index
TEXT_FIELDS_MAX: Final = 32
#: characters of a term; longer words are not found
TEXT_TERM_CHARS_MAX: Final = 255
#: words of a language whose stems are remembered
TEXT_STEMS_KEPT: Final = 50_000
#: characters of a full-text query, its parts, how deep they nest, and terms that one part of it
#: (a beginning, a near word) may stand for
TEXT_QUERY_CHARS_MAX: Final = 64 << 10
TEXT_QUERY_PARTS_MAX: Final = 1_024
TEXT_QUERY_DEPTH_MAX: Final = 32
TEXT_TERMS_EXPANDED_MAX: Final = 1_024
#: versions whose statistics a full-text index remembers
TEXT_STATISTICS_KEPT: Final = 16
#: terms between two looks at whether a search should end
TEXT_TICK_EVERY: Final = 4_096
#: hits handed out at a time
TEXT_HITS_PER_STEP: Final = 1_000
#: rows of an index that ended before it is read anew
TEXT_ENDED_MIN: Final = 2_000

# --- vector indexes ---
#: commits a vector index follows; older ones, and one that is behind by more, are read anew
VECTOR_FOLLOW_VERSIONS_MAX: Final = 2_000
#: vectors searched one by one before they are sealed into a graph
VECTOR_TAIL_MIN: Final = 2_000
#: nearest neighbours that one search may ask for
NEAREST_MAX: Final = 10_000

# --- transactions ---
#: mutations in one chunk of a large transaction: less than 20 ms of apply
MUTATIONS_PER_CHUNK: Final = 400
#: mutations a transaction buffers before it is sent to the log in chunks
MUTATIONS_PER_COMMIT_MAX: Final = 5_000
#: the same of a flashback, where each costs more: every one is about something that was there
FLASHBACK_MUTATIONS_PER_CHUNK: Final = 100
#: steps of a flashback that EXPLAIN shows, and conflicts with later commits that an error names
FLASHBACK_SAMPLE: Final = 10
FLASHBACK_CONFLICTS_SHOWN: Final = 10
#: bytes of values in one chunk, and what a transaction buffers before it is sent in chunks
CHUNK_BYTES: Final = 4 << 20
#: rows of a column segment in a bulk load, and where apply must look at each of them
BULK_ROWS: Final = 32_768
BULK_ROWS_INDEXED: Final = 1_000
#: one part of a bulk load over HTTP, parts turned at the same time, and loads open
BULK_PART_BYTES_MAX: Final = 32 << 20
BULK_PART_ROWS_MAX: Final = 1 << 20
BULK_PARTS_AT_ONCE: Final = 3
BULK_LOADS_OPEN_MAX: Final = 100
CONFLICT_KEYS_PER_COMMIT_MAX: Final = 10_000
#: versions over which the last commit per conflict key is kept
CONFLICT_WINDOW_VERSIONS: Final = 100_000
#: versions over which a request id is remembered
REQUEST_WINDOW_VERSIONS: Final = 100_000
ID_LEASE_BLOCK: Final = 4_096
TRANSACTION_METADATA_BYTES_MAX: Final = 64 << 10
#: users the state holds; part of what apply decides, so the same on every node
USERS_MAX: Final = 10_000
USER_NAME_CHARS_MAX: Final = 100
PASSWORD_CHARS_MAX: Final = 1_000
PASSWORD_CHARS_MIN_DEFAULT: Final = 8
#: passwords remembered as right, wrong ones counted per user and address, and checks that wait
AUTH_VERIFIED_KEPT: Final = 10_000
AUTH_ATTEMPTS_KEPT: Final = 10_000
AUTH_CHECKS_WAITING_MAX: Final = 64
#: wrong passwords in a row from one address for one user, then one attempt per so many seconds
AUTH_FAILURES_DEFAULT: Final = 5
AUTH_LOCK_S_DEFAULT: Final = 5.0

# --- log ---
LOG_ENTRY_BYTES_MAX: Final = 16 << 20
LOG_BATCH_BYTES_MAX: Final = 8 << 20
LOG_BATCH_ENTRIES_MAX: Final = 4_096
#: entries applied in one go; bounds how long a commit waits behind others
APPLY_BATCH_ENTRIES_MAX: Final = 256
APPLY_BATCH_BYTES_MAX: Final = 1 << 20
#: an append of so few bytes is synced on the event loop itself if it is the only one waited for
#: and the newest syncs, so many of them, took no longer than this (seconds)
LOG_SYNC_HERE_BYTES_MAX: Final = 16 << 10
LOG_SYNC_HERE_SECONDS: Final = 0.001
LOG_SYNCS_QUICK: Final = 4
#: one that took longer than this (seconds) is a stall; of the time, stalls on the event loop may be
#: this share
LOG_SYNC_STALL_SECONDS: Final = 0.01
LOG_SYNC_STALL_SHARE: Final = 0.01
#: batches up to this size are applied on the event loop itself: about 3 ms of small commits
APPLY_INLINE_BYTES_MAX: Final = 32 << 10
LOG_SEGMENT_BYTES: Final = 64 << 20
#: proposals waiting for the log, in bytes; above it a proposal is refused (retryable)
PROPOSALS_PENDING_BYTES_MAX: Final = 256 << 20

# --- Bolt ---
#: values in one message: each takes up to about 70 bytes once it is read
BOLT_VALUES_PER_MESSAGE_MAX: Final = 5_000_000
#: a message of somebody who has not said who they are yet
BOLT_FIRST_MESSAGE_BYTES_MAX: Final = 64 << 10
#: requests read ahead on one connection; above it nothing is read
BOLT_REQUESTS_AHEAD_MAX: Final = 1_000
#: requests of the usual shape, which the HTTP door reads itself: their heads, how many different
#: heads it knows of one connection, and their bodies; larger ones are the library's
HTTP_HEAD_BYTES_MAX: Final = 4 << 10
HTTP_HEADS_KEPT: Final = 16
HTTP_QUICK_BODY_BYTES_MAX: Final = 256 << 10
#: bytes of answers waiting for one client; above it no further row is made
BOLT_UNSENT_BYTES_MAX: Final = 1 << 20
#: rows made and encoded at a time
BOLT_ROWS_PER_PIECE: Final = 1_000
#: results open at the same time in one transaction
BOLT_RESULTS_OPEN_MAX: Final = 1_000
BOLT_BOOKMARKS_MAX: Final = 1_000

# --- defaults of what whoever runs a node may choose (settings.py) ---
HTTP_BODY_BYTES_DEFAULT: Final = 64 << 20
HTTP_CONNECTIONS_DEFAULT: Final = 1_000
BOLT_MESSAGE_BYTES_DEFAULT: Final = 64 << 20
BOLT_CONNECTIONS_DEFAULT: Final = 1_000
QUERY_WORKERS_DEFAULT: Final = 4
QUERIES_WAITING_DEFAULT: Final = 256
#: further threads for statements that wait for locks; where more wait, others wait for them
LOCK_WAITERS_MAX: Final = 256
STATEMENT_TIMEOUT_S_DEFAULT: Final = 600.0
LOCK_TIMEOUT_S_DEFAULT: Final = 10.0
TRANSACTION_IDLE_S_DEFAULT: Final = 60.0
MEMORY_LOW_BYTES_DEFAULT: Final = 256 << 20
DISK_LOW_BYTES_DEFAULT: Final = 512 << 20
SLOW_QUERY_S_DEFAULT: Final = 1.0
FLUSH_S_DEFAULT: Final = 60.0

# --- background steps: no apply step takes more than about 20 ms ---
BACKFILL_ENTITIES_PER_STEP: Final = 2_000
FOLD_KEYS_PER_STEP: Final = 4_000
#: relationships of deleted nodes that one look passes; keys that one step of vacuum or of an erasure looks at
DETACHED_PER_STEP: Final = 1_000
VACUUM_KEYS_PER_STEP: Final = 1_500
#: rows compared in a step; elements, bytes of heads, least rows of a window; seconds between looks
COMPACTION_ROWS_PER_STEP: Final = 400
COMPACTION_WINDOW: Final = 32_768
COMPACTION_BYTES: Final = 4 << 20
COMPACTION_ROWS_MIN: Final = 4_096
COMPACTION_EVERY_S: Final = 60.0
COMPACTION_ROWS_PER_S_DEFAULT: Final = 0.0

# --- keeping and forgetting ---
#: rules of labels and types, and restore points; part of what apply decides
RETENTION_RULES_MAX: Final = 1_000
RESTORE_POINTS_MAX: Final = 1_000
RESTORE_POINT_NAME_CHARS_MAX: Final = 200
#: the shortest time that a rule may keep versions, in µs
RETENTION_MIN_MICROS: Final = 1_000_000
#: things that one statement may erase
ERASED_PER_STATEMENT_MAX: Final = 1_000
#: times that ERASE deletes again what others brought back meanwhile
ERASE_ATTEMPTS: Final = 10
#: open snapshots of which a member tells
PINS_REPORTED_MAX: Final = 1_000
#: seconds between two looks at the horizons, and for which an open snapshot or a silent member
#: holds them back; keys a second that vacuum looks at
VACUUM_EVERY_S_DEFAULT: Final = 60.0
VACUUM_WAIT_S_DEFAULT: Final = 3_600.0
VACUUM_KEYS_PER_S_DEFAULT: Final = 50_000.0
#: a segment is rewritten when this share of its rows, in percent, can be seen by nobody
SEGMENT_DEAD_PERCENT: Final = 25

# --- this node ---
OPEN_TRANSACTIONS_MAX: Final = 1_000

#: seconds between two looks at the files of certificates
TLS_LOOK_SECONDS: Final = 5.0
#: seconds between two looks at the file of settings
SETTINGS_LOOK_SECONDS: Final = 2.0
#: seconds between two looks at how many objects the collector set aside, and so many more than
#: twice as many make it look at all of them again
COLLECTOR_LOOK_SECONDS: Final = 60.0
COLLECTOR_OBJECTS_MIN: Final = 500_000

#: seconds a thread may keep the interpreter lock (research/raft.md, decision 9)
SWITCH_INTERVAL_SECONDS: Final = 0.0005

# --- between nodes ---
#: one frame; an entry at its largest and what is around it fit
PEER_FRAME_BYTES_MAX: Final = 24 << 20
#: a message of several frames is closed at about this size
PEER_MESSAGE_BYTES: Final = 1 << 20
#: bytes waiting for one connection; above it consensus messages are dropped (it sends them again)
PEER_QUEUE_BYTES_MAX: Final = 64 << 20
PEER_REQUESTS_OPEN_MAX: Final = 10_000
#: seconds a request to another node may take
PEER_REQUEST_SECONDS: Final = 10.0
PEER_CONNECT_SECONDS: Final = 2.0
#: seconds between two attempts to reach a node
PEER_RETRY_SECONDS: Final = 0.1
#: a member that said it is about to stop is not named to clients for so long
LEAVING_SECONDS: Final = 15.0
#: seconds that drivers may use a routing table: short where they came by a name that stands for
#: several members, long where they came by the address of one, which they need to ask again
ROUTING_SECONDS: Final = 5
ROUTING_SECONDS_LONG: Final = 300
#: a member that is asked for a table waits so long to hear who leads: a driver that is told of nobody
#: waits a second before it asks again
ROUTING_WAIT_SECONDS: Final = 2.0
#: it asks the others whether they are there, unless it did so just now, and waits so long for answers;
#: who gives none is left out of tables for a while
ROUTING_LOOK_SECONDS: Final = 0.5
SILENT_SECONDS: Final = 2.0
#: a node that stops serves who is connected for so long, which is until their tables are too old
ROUTING_LEAVE_SECONDS: Final = ROUTING_SECONDS + 1.0
#: so long it waits for transactions of drivers whose tables last, whose connection it then ends, and
#: for them to ask where to go: they do so after about a second
ROUTING_TOLD_SECONDS: Final = 3.0
#: a member that is about to be removed is waited for so long, until its clients are gone
SEE_OFF_SECONDS: Final = ROUTING_LEAVE_SECONDS + 2.0
#: a piece of a snapshot file on its way to a follower
SNAPSHOT_PIECE_BYTES: Final = 1 << 20
#: consensus: seconds of one tick, ticks of a heartbeat and of an election timeout
TICK_SECONDS: Final = 0.1
HEARTBEAT_TICKS: Final = 1
ELECTION_TICKS: Final = 10
#: a follower that heard nothing of its leader for so many ticks sends nobody there
LEADER_SILENT_TICKS: Final = 5
#: news of a commit wait so long for entries that go to the same member
COMMIT_NEWS_SECONDS: Final = 0.003
#: a follower that lost the connection to its leader stands for election after 50 to 150 ms
LEADER_LOST_SECONDS: Final = (0.05, 0.15)
#: so long a node waits for a leader to appear before it takes consent to go on without a majority
RECOVERY_WITHOUT_LEADER_SECONDS: Final = 10.0
#: log entries between two digests that members compare, how many of them each remembers, and the
#: seconds between two comparisons
DIGEST_EVERY_ENTRIES: Final = 64
DIGESTS_KEPT: Final = 1_024
DIGEST_SECONDS: Final = 2.0
#: committed entries that a node may have left to apply and still be sent requests
READY_LAG_ENTRIES: Final = 10_000
#: text of the reason for which a node is fenced
FENCE_REASON_CHARS_MAX: Final = 1_000
#: entries and bytes on the way to one follower, and in one message
INFLIGHT_MESSAGES_MAX: Final = 256
INFLIGHT_BYTES_MAX: Final = 64 << 20
#: to read that much from the log and to encode it takes about 3 ms of the event loop
APPEND_BYTES_MAX: Final = 128 << 10
#: the same for a message that only asks how far a member's log reaches
PROBE_BYTES_MAX: Final = 4 << 10
#: messages of entries sent to a member in one go
APPENDS_AT_ONCE_MAX: Final = 2
#: entries accepted by the leader and not committed yet, in bytes
UNCOMMITTED_BYTES_MAX: Final = 128 << 20
#: entries kept in memory for followers that are nearly up to date
LOG_CACHE_BYTES: Final = 32 << 20
#: entries kept behind the newest durable one for followers that are away for a moment
LOG_TRAILING_ENTRIES: Final = 50_000
#: bytes of log kept for a member that is being caught up; one that needs more is sent a snapshot
LOG_HELD_BYTES: Final = 1 << 30
#: how long a proposal waits for a leader, for its commit, or for room
PROPOSE_SECONDS: Final = 30.0
READ_BARRIER_SECONDS: Final = 15.0
#: how far behind a read of bounded staleness may be if it does not say
STALENESS_S_DEFAULT: Final = 5.0
#: reads that wait at the leader for a quorum; further ones are lost and asked again
READS_PENDING_MAX: Final = 10_000
#: processes of `everwhen local`; the log files it keeps for each, and their size
LOCAL_NODES_MAX: Final = 9
LOCAL_LOG_FILES: Final = 5
LOCAL_LOG_BYTES_MAX: Final = 16 << 20

#: warnings and errors that a node remembers for a diagnosis, the length of each; digests of states
PROBLEMS_KEPT: Final = 100
PROBLEM_CHARS_MAX: Final = 1_000
DIAGNOSED_DIGESTS_MAX: Final = 16

#: statement text of a commit that may be kept for the audit; of longer ones only the hash is
AUDIT_TEXT_BYTES_MAX: Final = 16 << 10
#: changes of a large transaction that are replayed at a time
AUDIT_CHANGES_SHARE: Final = 200_000
#: entries compared one by one where sums differ
AUDIT_COMPARED_MAX: Final = 1_000_000
#: bytes of an exported head, and of the key that signs it
AUDIT_HEAD_BYTES_MAX: Final = 64 << 10
AUDIT_KEY_BYTES_MIN: Final = 16
#: commits that a log of the audit reads at a time
AUDIT_LINES_PER_SCAN: Final = 256
#: audited reads that wait to be written
AUDIT_READS_WAITING_MAX: Final = 10_000
#: how often folding may come between before a verification gives up
AUDIT_RETRIES_MAX: Final = 100
#: entries between two looks at whether a verification should end
AUDIT_TICK_EVERY: Final = 4_096
