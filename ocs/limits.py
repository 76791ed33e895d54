"""Every bound in the system, with its reason."""

from typing import Final

# --- Diameter wire -------------------------------------------------------------------------------------
# Real Gy messages stay under 4 KiB; freeDiameter and Kamailio refuse far less than the 16 MiB the header allows.
MESSAGE_OCTETS_MAX: Final = 65_536
# CCR nests four deep (Service-Information > IMS-Information > Time-Stamps > ...); eight leaves room for vendors.
AVP_DEPTH_MAX: Final = 8
# A 64 KiB message could hold 8,000 empty AVPs; a real one holds under 150.
AVPS_PER_MESSAGE_MAX: Final = 1_024

# A DiameterIdentity is a domain name: RFC 1035 section 2.3.4.
IDENTITY_OCTETS_MAX: Final = 255

# What the codec remembers of octets that come again (AVP headers, a subscriber's Subscription-Ids and
# Service-Information, an answer's services), per kind: about 500 octets each, so 8 MiB at most per kind.
CODEC_MEMO_ENTRIES: Final = 16_384
# Layouts of whole requests (each AVP header at its place): a gateway has a handful per request type and length of
# its Session-Ids; each takes about 4 KiB.
LAYOUTS_MAX: Final = 512
LAYOUTS_PER_LENGTH_MAX: Final = 8
# Layouts of small groups, one for each length: more lengths than these mean that nothing repeats.
GROUP_LAYOUTS_MAX: Final = 64
# One report or request of units: 9 petabytes, or 285 million years. More is an error of the gateway, and sums of
# such numbers would leave the store's 64-bit integers.
UNITS_PER_REPORT_MAX: Final = 1 << 53
# Exponent of a Unit-Value: micro-units are 10^-6, and a larger number is no amount of money.
UNIT_VALUE_EXPONENT_MAX: Final = 18

# --- Diameter peers ------------------------------------------------------------------------------------
# From accept to a complete CER: long enough for a slow TLS handshake over a satellite, short for a scanner.
CAPABILITIES_EXCHANGE_TIMEOUT_S: Final = 10.0
# A message that has begun must be complete within this time: a peer that dribbles holds a connection, no more.
MESSAGE_TIMEOUT_S: Final = 10.0
# A peer that does not read: so much may wait to be sent, for so long, before the connection is closed.
SEND_BUFFER_OCTETS_MAX: Final = 1_048_576
SEND_STALL_TIMEOUT_S: Final = 10.0
# Requests of one connection that wait for their answer; beyond it we stop reading from that connection.
REQUESTS_IN_FLIGHT_PER_CONNECTION: Final = 1_024
CONNECTIONS_MAX: Final = 4_096
# Connections that have not finished capabilities exchange: a flood of CERs or idle sockets stops here.
CONNECTIONS_UNIDENTIFIED_MAX: Final = 512
# Errors a connection may cause before it is closed: a peer that sends nonsense is not argued with for ever.
ERRORS_PER_CONNECTION_MAX: Final = 100
ERRORS_WINDOW_S: Final = 10.0
# A peer announces its capabilities again when they change; more often than this in that window is a fault of its own.
CAPABILITIES_UPDATES_MAX: Final = 10
# DPR to DPA, and answers still owed when we stop.
DISCONNECT_TIMEOUT_S: Final = 3.0
DRAIN_TIMEOUT_S: Final = 5.0
# Timers of all connections are looked at together, this often: cheap for thousands, exact enough for seconds.
CONNECTION_TICK_S: Final = 0.25
# After our last octet we wait so long for the peer to read it and close, so that a reset does not destroy it.
LINGER_TIMEOUT_S: Final = 1.0
# Peers whose Origin-State-Id and last failure are remembered after they left ("*" lets anybody choose a name).
PEERS_REMEMBERED_MAX: Final = 4_096
# RFC 3539 section 3.4.1: Tw is jittered by up to two seconds either way.
WATCHDOG_JITTER_S: Final = 2.0
# An answer later than this gets a log line: half of what the strictest gateway profile waits before it retries.
SLOW_ANSWER_S: Final = 1.0

# --- Charging ------------------------------------------------------------------------------------------
# MSCCs in one request: profiles seen have five; more than this is refused, not silently cut.
SERVICES_PER_REQUEST_MAX: Final = 32
# Answers a session remembers for repeats: gateways have one request of a session in flight, relays may add one.
ANSWERS_REMEMBERED: Final = 4
# Rating groups one session may open over its life, and Session-Id's length (RFC 6733 section 8.8 sets none).
SERVICES_PER_SESSION_MAX: Final = 64
SESSION_ID_OCTETS_MAX: Final = 512
# Requests folded into one commit for one account, so that a hot account's commit stays a short store operation.
REQUESTS_PER_COMMIT_MAX: Final = 64
# More than this in one report (a pebibyte, 35 million years) is a fault of the gateway; 64-bit money holds the rest.
REPORTED_UNITS_MAX: Final = 1 << 50
# Lost races before a request is answered UNABLE_TO_DELIVER.
COMMIT_ATTEMPTS_MAX: Final = 32
# Races lost in a row on one account before a worker asks for a turn of its own, how long that turn lasts, and how often
# those who must wait look whether it is over: long enough to load, decide and commit, too short to be noticed.
LOST_RACES_BEFORE_TURN: Final = 2
TURN_MS: Final = 20
TURN_TICK_S: Final = 0.002
# Buckets of one account: an account value stays small enough to be written with every charge.
BUCKETS_PER_ACCOUNT_MAX: Final = 64
# A locator (Session-Id -> account) is rewritten when half of this has gone by.
LOCATOR_LIFETIME_S: Final = 30 * 86_400
# An operation's reference (top-up, adjustment) is recognised for this long.
OPERATION_MEMORY_S: Final = 400 * 86_400
# Money that an operation may bring an account to: a hundred thousand million, far from the end of 64 bits.
BALANCE_MICRO_MAX: Final = 10**17

# --- Store ---------------------------------------------------------------------------------------------
# A commit not confirmed within this time is an unknown outcome: answer 3004, drop caches, look again.
# The commit waits in a queue first and the silence is looked for in fifths of this time: all together stays under
# the shortest Tx that gateways use, 5 s, so that they hear 3004 rather than nothing.
STORE_TIMEOUT_S: Final = 3.0
# Writes to the store that wait for their replies; meanwhile the next one collects. One is on its way while the other
# is fsynced; more of them would be smaller, and each costs an fsync and four system calls.
STORE_WRITES_IN_FLIGHT_MAX: Final = 2
# Sessions closed by supervision in one look at one partition.
EXPIRIES_PER_SWEEP: Final = 256
SWEEP_INTERVAL_S: Final = 1.0
# A store silent to all workers for longer than this was an outage: deadlines move by its length.
OUTAGE_THRESHOLD_MS: Final = 5_000

# The embedded store reads its file at start: a million accounts take seconds; a slow disk gets minutes.
STORE_LOAD_TIMEOUT_S: Final = 600.0
# From SHUTDOWN to its end: the last fsync.
STORE_STOP_TIMEOUT_S: Final = 20.0
# Between two attempts to start a store that ends at once (disk full, file damaged).
STORE_RESTART_DELAY_MAX_S: Final = 5.0
# A longer store.log is set aside at the next start.
STORE_LOG_OCTETS_MAX: Final = 8_388_608

# --- Operation -----------------------------------------------------------------------------------------
# Label sets of one metric: peers and result codes stay far below; a label fed by strangers ends in "other".
METRIC_SERIES_MAX: Final = 1_000
# Keys whose repeated log lines are counted; the one silent for longest is forgotten first.
LOG_LIMITER_KEYS_MAX: Final = 1_000
# One line per key in this time; the next line says how many were swallowed.
LOG_REPEAT_INTERVAL_MS: Final = 10_000
# A text that a stranger wrote, in a log line or an Error-Message: enough to recognise it by.
LOG_TEXT_CHARACTERS_MAX: Final = 256
# A message on a worker's local socket: a snapshot of full metrics is about 200 KiB.
CHANNEL_MESSAGE_OCTETS_MAX: Final = 4_194_304
# A worker that has not answered the HTTP process by then is shown as silent; Prometheus gives up after 10 s.
CHANNEL_TIMEOUT_S: Final = 2.0
# Askers at one worker's local socket: the HTTP process and a few CLI calls.
CHANNEL_CONNECTIONS_MAX: Final = 32
# Items on one page of an HTTP list: with all its services a session is about 1 KiB of JSON.
HTTP_PAGE_ITEMS_MAX: Final = 500
# No resource of the online side takes a body yet.
HTTP_BODY_OCTETS_MAX: Final = 65_536
# An HTTP connection without a request: the status page asks every two seconds.
HTTP_IDLE_TIMEOUT_S: Final = 10

# --- Rating --------------------------------------------------------------------------------------------
# Rates found for a kind of request (offers, service, rating group, zone): a catalogue has hundreds; rating groups
# come from the network and could be any number, so the memory is emptied when full.
RATES_REMEMBERED: Final = 16_384
# Called numbers with their zone, about 120 octets each.
CALLED_NUMBERS_REMEMBERED: Final = 65_536
# Days whose tariff changes are worked out: the look ahead and some for late reports.
CALENDAR_DAYS_REMEMBERED: Final = 64
# How far ahead a tariff change is looked for: a grant's Validity-Time is hours, and a week repeats.
TARIFF_CHANGE_HORIZON_DAYS: Final = 14
