"""Every bound in the system, with its reason."""

from typing import Final

# --- Diameter wire -------------------------------------------------------------------------------------
# Real Gy messages stay under 4 KiB; freeDiameter and Kamailio refuse far less than the 16 MiB the header allows.
MESSAGE_OCTETS_MAX: Final = 65_536
# CCR nests four deep (Service-Information > IMS-Information > Time-Stamps > ...); eight leaves room for vendors.
AVP_DEPTH_MAX: Final = 8
# A 64 KiB message could hold 8,000 empty AVPs; a real one holds under 150.
AVPS_PER_MESSAGE_MAX: Final = 1_024
# AVPs in one Multiple-Services-Credit-Control: a report in three units and a handful of Service-Identifiers are ten.
# They stay in the session, whose value is written with every request.
AVPS_PER_SERVICE_MAX: Final = 64
# Longer messages are read without being remembered: usual ones have under 1,500 octets, and the codec's memory, which
# is bounded in entries, holds these octets.
REMEMBERED_OCTETS_MAX: Final = 2_048

# A DiameterIdentity is a domain name: RFC 1035 section 2.3.4.
IDENTITY_OCTETS_MAX: Final = 255

# What the codec remembers of octets that come again (AVP headers, a subscriber's Subscription-Ids and
# Service-Information, an answer's services), per kind: about 500 octets each, so 8 MiB at most per kind.
CODEC_MEMO_ENTRIES: Final = 16_384
# Layouts of whole requests (each AVP header at its place): a gateway has a handful per request type and length of
# its Session-Ids; each takes about 4 KiB.
LAYOUTS_MAX: Final = 512
LAYOUTS_PER_LENGTH_MAX: Final = 8
# Requests kept so that the session's next is read by what differs, one a session: about 1.5 KiB each, so 48 MiB.
FAMILIAR_REQUESTS_MAX: Final = 32_768
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
# Connections of one Origin-Host: gateways open one or two per node; a broken one must not use up all.
CONNECTIONS_PER_PEER_MAX: Final = 64
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
# TLS handshakes cost milliseconds of CPU each: between the beginnings of two we wait so long. A hundred gateways that
# come back at once are served within a second; a flood takes a fifth of a core. So many connections wait for it or are
# in it, of one source so many (a site's gateways may share an address), and none for longer than this from accept.
TLS_HANDSHAKE_INTERVAL_S: Final = 0.01
TLS_PLACES_MAX: Final = 512
TLS_PLACES_PER_SOURCE_MAX: Final = 128
TLS_HANDSHAKE_TIMEOUT_S: Final = 5.0
# Connections accepted from one listener before everything else has its turn: two milliseconds.
ACCEPTS_AT_ONCE_MAX: Final = 32
# A peer that vanished without a word: the kernel probes an idle connection after this time, so often, so many times,
# and gives up on sent octets that nobody acknowledges. The watchdog is usually first; this frees the rest.
KEEPALIVE_IDLE_S: Final = 60
KEEPALIVE_INTERVAL_S: Final = 10
KEEPALIVE_PROBES: Final = 3
UNACKNOWLEDGED_MS_MAX: Final = 20_000
# A connection whose last read came back full is behind: its next reads take so much, so that what waits is seen and
# refused in good time rather than kept by the kernel.
READ_OCTETS: Final = 65_536
READ_OCTETS_BEHIND: Final = 262_144
# What peers sent is worked off in slices of so long, and between two looks at the network for so long in all: some
# hundred watchdogs or refusals, or as many Credit-Control-Requests as share an fsync well. A quiet peer's answer takes
# five such looks, so it leaves within some twenty milliseconds whatever others send.
SLICE_S: Final = 0.0005
ROUND_S: Final = 0.004
# Proxy-Info comes back in the answer, which must fit into a message with all its services; agents add some 100 octets.
PROXY_INFO_OCTETS_MAX: Final = 16_384
# Gateways whose way is remembered, behind relays too: about 200 octets each.
GATEWAY_ROUTES_MAX: Final = 16_384
# Re-Auth- and Abort-Session-Requests: how long an answer is waited for (it says only that the request was heard), how
# often one is sent in all and how long it rests in between, and how many go unanswered in a row before a gateway counts
# as deaf (some never answer) and is asked one by one.
DEMAND_TIMEOUT_S: Final = 5.0
DEMAND_ATTEMPTS_MAX: Final = 3
DEMAND_RETRY_DELAY_S: Final = 1.0
UNANSWERED_DEMANDS_IN_A_ROW: Final = 8
# Each brings a CCR back: so many unanswered at once keep a gateway busy and leave it room for its own requests. All
# that wait in one process take some 500 octets each.
DEMANDS_IN_FLIGHT_PER_GATEWAY: Final = 256
DEMANDS_WAITING_MAX: Final = 32_768
# Demands in one notice to a worker: under 1 KiB each even with the longest Session-Id. Accounts that changed and whose
# gateways have not been told, and how many of them are read at a time.
DEMANDS_PER_NOTICE_MAX: Final = 48
CHANGED_ACCOUNTS_MAX: Final = 65_536
CHANGED_ACCOUNTS_READ: Final = 64
# An answer later than this gets a log line: half of what the strictest gateway profile waits before it retries.
SLOW_ANSWER_S: Final = 1.0

# --- Overload ------------------------------------------------------------------------------------------
# How long answers may take beyond the store's own time before requests are refused. Twice as much again passes in the
# kernel's buffers and in a swing of the bound. Measured at twice the capacity: 25 ms give a p99 near 100 ms, 15 ms one
# of 48 to 57 ms, 12 ms one near 49 ms with as much goodput (93 to 99 %), 10 ms one near 41 ms and 86 to 95 %.
OVERLOAD_QUEUEING_S: Final = 0.012
# The bound on requests in flight is looked at this often, on the evidence of so many answers.
OVERLOAD_INTERVAL_S: Final = 0.02
OVERLOAD_ANSWERS_MIN: Final = 8
# The bound on requests in flight of one process. The least: a slow machine answers so many in time, and fewer would
# make groups too small to share an fsync. At rest: 10,000 a second are answered in 25 ms, which is how late answers get
# before an overload is noticed. For each second of the store's own time as many more as a worker could ever answer in
# it. The most: 20,000 a second for a store that takes 75 ms.
REQUESTS_ADMITTED_MIN: Final = 64
REQUESTS_ADMITTED_AT_REST: Final = 256
REQUESTS_ADMITTED_PER_STORE_S: Final = 20_000
REQUESTS_ADMITTED_MAX: Final = 2_048
# Octets of requests in flight in one process: TERMINATION is never refused, but reading stops here.
REQUEST_OCTETS_IN_FLIGHT_MAX: Final = 67_108_864
# Refusals to one peer before its connections rest for an interval: fifty thousand a second, a quarter of a core.
REFUSALS_BEFORE_REST: Final = 1_024

# --- RADIUS --------------------------------------------------------------------------------------------
# RFC 2865 section 3: no packet is longer. A datagram is read with one octet more, which is padding.
RADIUS_PACKET_OCTETS_MAX: Final = 4_096
# Requests of one client that are under way: a second's work; what is more is dropped, and its sender repeats it. Who
# logs in gives way at a half, so that reports of use find room.
RADIUS_REQUESTS_IN_FLIGHT_PER_CLIENT: Final = 1_024
# Replies kept for repeats, and for how long (RFC 5080 section 2.2.2: clients repeat for some 30 s); older repeats are
# found by the session's memory, at the cost of a look into the store.
RADIUS_DUPLICATES_MAX: Final = 16_384
RADIUS_DUPLICATES_S: Final = 30.0
# RFC 2869 section 2.1: an interim interval below 60 s is not allowed; what a client should see is 600 s or more.
RADIUS_INTERIM_INTERVAL_MIN_S: Final = 60
# An Event-Timestamp so much older than now is of use that was buffered: it is charged at the tariff of its time.
RADIUS_LATE_REPORT_S: Final = 300
# A Start that says it is late (Acct-Delay-Time) belongs to the session that reports have opened, also where it seems
# to have happened so long after that: workers' clocks may differ, and as another session all would be charged again.
LATE_BEGINNING_SLACK_S: Final = 900
# CoA- and Disconnect-Requests under way in all, to one client (its Identifier has 256 values), how often one is sent
# and how long its reply is waited for: a client that does not answer costs six seconds of a small place.
RADIUS_ORDERS_MAX: Final = 4_096
RADIUS_ORDERS_PER_CLIENT_MAX: Final = 256
RADIUS_ORDER_ATTEMPTS_MAX: Final = 3
RADIUS_ORDER_TIMEOUT_S: Final = 2.0
# Access servers whose restart waits to be dealt with: each is a look through the names of all open sessions.
RADIUS_RESTARTS_WAITING_MAX: Final = 256
# Sessions whose identification is kept for orders that do not follow from a packet of theirs.
RADIUS_SESSIONS_KNOWN_MAX: Final = 100_000

# --- Charging ------------------------------------------------------------------------------------------
# MSCCs in one request: profiles seen have five; more than this is refused, not silently cut.
SERVICES_PER_REQUEST_MAX: Final = 32
# Used-Service-Units in one request, over all its services: one or two a service are usual, some dozens where a gateway
# was without us. Each may be a price to find and an event of its own, some 30 us; this many are a few milliseconds.
UNITS_PER_REQUEST_MAX: Final = 128
# The catalogue numbers credit pools up to this; the rest of a G-S-U-Pool-Identifier tells pools of one number apart.
POOL_NUMBER_MAX: Final = 0xFFFF
# Media of one call that a price may depend on: audio, video, messages; a message full of components says no more.
MEDIA_PER_CALL_MAX: Final = 8
# Answers a session remembers for repeats: gateways have one request of a session in flight, relays may add one.
ANSWERS_REMEMBERED: Final = 4
# Rating groups one session may open over its life, and Session-Id's length (RFC 6733 section 8.8 sets none).
SERVICES_PER_SESSION_MAX: Final = 64
# Limits of one member of an account: each is looked at in every request of its.
LIMITS_PER_MEMBER_MAX: Final = 16
SESSION_ID_OCTETS_MAX: Final = 512
# Requests folded into one commit for one account, so that a hot account's commit stays a short store operation.
REQUESTS_PER_COMMIT_MAX: Final = 64
# More than this in one report (a pebibyte, 35 million years) is a fault of the gateway; 64-bit money holds the rest.
REPORTED_UNITS_MAX: Final = 1 << 50
# How old a use may be and still be charged at the tariff of its time: gateways buffer for hours while nobody answers,
# over a long weekend at worst. An older time is a clock that was never set.
EVENT_TIME_PAST_MAX_S: Final = 4 * 86_400
# A grant that was made small because little is left is valid for less, but not for less than this: a gateway that
# asks every few seconds costs more than the credit that waits.
SHORT_VALIDITY_MIN_S: Final = 60
# Lost races before a request is answered UNABLE_TO_DELIVER.
COMMIT_ATTEMPTS_MAX: Final = 32
# Races lost in a row on one account before a worker asks for a turn of its own, how long that turn lasts, and how often
# those who must wait look whether it is over: long enough to load, decide and commit, too short to be noticed.
LOST_RACES_BEFORE_TURN: Final = 2
TURN_MS: Final = 20
TURN_TICK_S: Final = 0.002
# Buckets of one account: an account value stays small enough to be written with every charge.
BUCKETS_PER_ACCOUNT_MAX: Final = 64
# Open sessions of one account that are read to be re-authorised: a family's phones, or some of a fleet's meters.
SESSIONS_PER_ACCOUNT_READ_MAX: Final = 10_000
# A locator (Session-Id -> account) is rewritten when half of this has gone by.
LOCATOR_LIFETIME_S: Final = 30 * 86_400
# An operation's reference (top-up, adjustment) is recognised for this long.
OPERATION_MEMORY_S: Final = 400 * 86_400
# Money that an operation may bring an account to: a hundred thousand million, far from the end of 64 bits.
BALANCE_MICRO_MAX: Final = 10**17

# Lines of a partition's agenda worked off in one look, and how often all are looked at: what is due at midnight for
# a hundred thousand subscribers is done within minutes, and no commit of theirs waits longer than for any other.
AGENDA_LINES_PER_LOOK: Final = 256
AGENDA_INTERVAL_S: Final = 5.0
# Periods of one offer that one look catches up with, after an outage of ours: two months of daily charges.
RENEWALS_PER_LOOK_MAX: Final = 64
# A page of an account's history is looked for in so many thousand events of its partition: a tenth of a second.
HISTORY_READS_PER_PAGE_MAX: Final = 50

# --- Store ---------------------------------------------------------------------------------------------
# A commit not confirmed within this time is an unknown outcome: answer 3004, drop caches, look again.
# The commit waits in a queue first and the silence is looked for in fifths of this time: all together stays under
# the shortest Tx that gateways use, 5 s, so that they hear 3004 rather than nothing.
STORE_TIMEOUT_S: Final = 3.0
# Writes to the store that wait for their replies; meanwhile the next one collects. One is on its way while the other
# is fsynced; more of them would be smaller, and each costs an fsync and four system calls. Where WAIT holds a
# connection up, so many connections have one each.
STORE_WRITES_IN_FLIGHT_MAX: Final = 2
# Make-ups of commits that are remembered as octets, about 400 each: an UPDATE, an INITIAL and some others of each of a
# thousand partitions.
COMMIT_FORMS_MAX: Final = 4_096
# A Sentinel or node that is asked who is primary: it knows at once or is not well. A cluster's nodes are asked all at
# once, so many of them: one that is well is enough.
STORE_TOPOLOGY_TIMEOUT_S: Final = 1.0
STORE_TOPOLOGY_ASKED_MAX: Final = 12
# How often charging asks who is primary when nothing has failed (a primary that was replaced and still answers us), and
# how long it rests between two such questions while something does: a failover takes seconds.
STORE_TOPOLOGY_INTERVAL_S: Final = 5.0
STORE_TOPOLOGY_PAUSE_S: Final = 0.1
# How often a worker asks the store whether it is the same, and for Origin-State-Id; what seems absent asks at once.
STORE_IDENTITY_INTERVAL_S: Final = 5.0
# How often it is noted how much of a primary's history is durable, to recognise a successor that lacks some of it.
STORE_OFFSET_INTERVAL_S: Final = 1.0
# While replicas are missing, how long after one question for them the next one is asked.
REPLICAS_ASKED_INTERVAL_S: Final = 0.2
# How often a call follows a redirection or looks for the new primary, and the step by which it waits longer
# each time: over a cluster's resharding, not over a failover, which takes seconds and is the caller's to sit out.
STORE_REDIRECTS_MAX: Final = 5
STORE_RETRY_DELAY_S: Final = 0.05
# How often the replicas are looked at under `replicated`: a few small questions, and an alarm within seconds.
REPLICA_WATCH_INTERVAL_S: Final = 5.0
# Sessions closed by supervision in one look at one partition.
EXPIRIES_PER_SWEEP: Final = 256
SWEEP_INTERVAL_S: Final = 1.0
# A store silent to all workers for longer than this was an outage: deadlines move by its length.
OUTAGE_THRESHOLD_MS: Final = 5_000

# Events trimmed in one step: a store operation of two milliseconds, so that no commit waits longer for it.
EVENTS_PER_TRIM_MAX: Final = 500
# Such steps for one partition before the next one has its turn: a backlog of hours is worked off evenly.
TRIMS_PER_LOOK_MAX: Final = 20
# How often a partition is looked at for events that everybody has acknowledged.
TRIM_INTERVAL_S: Final = 5.0
# What charge events fill of their room when it is said aloud, and below what it is over: the business side has been
# away for half of the time that it may be.
EVENTS_ROOM_ALARM: Final = 0.5
EVENTS_ROOM_CLEAR: Final = 0.4
# An audit reads so many values at a time, holds so many names of keys before it writes them to its folder, looks again
# at an account that moves or seems wrong so often, and tells so many findings one by one; the others it counts.
VERIFY_PAGE: Final = 500
SPOOLED_KEYS_MAX: Final = 200_000
VERIFY_ROUNDS_MAX: Final = 10
FINDINGS_TOLD_MAX: Final = 1_000
# The embedded store writes its file anew when it has grown by so much: on disk it takes twice the data, no more.
STORE_REWRITE_GROWTH_PERCENT: Final = 100
# A rewrite of the store's file that a backup waits for; and how often files may be replaced under it (by hand: we hold
# rewrites off) before it gives up.
BACKUP_REWRITE_WAIT_S: Final = 600.0
BACKUP_ATTEMPTS_MAX: Final = 3

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
# Notices between workers name a peer and a session: a CCR's size would be far too much. Those whose publishers wait for
# acknowledgements, how long they do (a worker acknowledges within a millisecond), and how often a silent connection is
# asked for a sign of life.
NOTICE_OCTETS_MAX: Final = 65_536
NOTICES_IN_FLIGHT_MAX: Final = 1_024
NOTICE_TIMEOUT_S: Final = 1.0
NOTICES_PING_INTERVAL_S: Final = 10.0
# Workers are replaced one by one, each within a start and a leave of its gateways: so long `ocs reload` waits.
RELOAD_TIMEOUT_S: Final = 900.0
# A worker that holds more connections than another waits so long before it accepts one: the other is woken by the
# same connection and takes it within a millisecond.
ACCEPT_YIELD_S: Final = 0.02
# Workers that share listeners, old ones that take leave included.
WORKERS_SHARING_MAX: Final = 256
# Items on one page of an HTTP list: with all its services a session is about 1 KiB of JSON.
HTTP_PAGE_ITEMS_MAX: Final = 500
# The largest body is an account with all its identities, or a top-up with the parties around it: a few KiB.
HTTP_BODY_OCTETS_MAX: Final = 65_536
# A query asks for some attributes; what has more conditions was written by no person.
HTTP_PARAMETERS_MAX: Final = 32
# From a request's first octet to its answer; a write waits for the store and its barrier, far below.
HTTP_REQUEST_TIMEOUT_S: Final = 30.0
# Wrong tokens from one address in a minute before it is told so, and waits a second for each such answer. The secret is
# 256 bits: this is against load and full logs more than against guessing. Right tokens from there are served as ever (a
# proxy's address is everybody's). Answers that wait so at a time; more go at once. Addresses remembered.
TOKEN_FAILURES_MAX: Final = 20
TOKEN_FAILURE_WINDOW_S: Final = 60.0
TOKEN_REFUSAL_DELAY_S: Final = 1.0
TOKEN_REFUSALS_DELAYED_MAX: Final = 200
TOKEN_SOURCES_MAX: Final = 1_000
# Tokens of a store: every program of an operator has one, and none is a person's.
TOKENS_MAX: Final = 1_000
# Accounts looked through for a list that names none, and records of actions: a second's work. Larger systems are asked
# for one account.
ACCOUNTS_LISTED_MAX: Final = 2_000
ACTION_RECORDS_LISTED_MAX: Final = 5_000
# A top-up's record over HTTP stays so long; its reference (OPERATION_MEMORY_S) and its charge event stay longer.
ACTION_RECORD_MEMORY_S: Final = 31 * 86_400
# What it says: amounts, names and a few sentences. It is kept that long, and waits in the queue of every listener.
ACTION_OCTETS_MAX: Final = 4_096
# A record this old and without a result was left by a crash or by a store that gave no clear answer, and is carried out
# again; how often such ones are looked for, and how many at a time.
ACTION_PENDING_S: Final = 60.0
ACTION_SWEEP_INTERVAL_S: Final = 10.0
ACTIONS_PER_SWEEP: Final = 100
# Vouchers made or changed by one HTTP request, each a commit: seconds, within HTTP_REQUEST_TIMEOUT_S.
VOUCHERS_PER_REQUEST_MAX: Final = 1_000
# Charge events that are kept for HTTP's listeners although everybody else has acknowledged them: those of this last
# time, and none while the room for events is half full. After so long without a listener their place is given up.
LISTENERS_LAG_MAX_S: Final = 3_600.0
LISTENERS_GONE_S: Final = 60.0
# Charge events read for listeners from each partition at a time (64 partitions of 50 find room in a queue that is half
# full), and so many times in a row before others have their turn. A listener whose queue is half full is waited for so
# long after the last event that it took.
LISTENER_EVENTS_PER_PAGE: Final = 50
LISTENER_PAGES_PER_LOOK: Final = 50
LISTENER_CATCHES_UP_S: Final = 30.0
# Listeners registered for events; events that wait for one (about 2 KiB each); the address of one.
HUBS_MAX: Final = 64
HUB_EVENTS_WAITING_MAX: Final = 10_000
HUB_CALLBACK_CHARACTERS_MAX: Final = 2_048
# A listener's answer is a status; its headers fit in this. It has so long, and is tried again within the delay.
HUB_ANSWER_OCTETS_MAX: Final = 16_384
HUB_POST_TIMEOUT_S: Final = 10.0
HUB_RETRY_DELAY_MAX_S: Final = 300.0
# A listener that took nothing for a day is given up.
HUB_GIVEN_UP_S: Final = 86_400.0
# How often queues are looked at; how long one process serves a listener without saying so again: longer than a post.
HUB_POLL_INTERVAL_S: Final = 1.0
HUB_LEASE_S: Final = 30.0
# Answers that go on, such as a live list, each a task and a connection; a quiet one says so this often, well within
# HTTP_REQUEST_TIMEOUT_S, in which its client must have read.
HTTP_STREAMS_MAX: Final = 100
HTTP_STREAM_PING_S: Final = 10.0
# An HTTP connection without a request: the status page asks every two seconds.
HTTP_IDLE_TIMEOUT_S: Final = 10

# --- Rating --------------------------------------------------------------------------------------------
# Rates found for a kind of request (offers, service, rating group, class of circumstances): a catalogue has hundreds;
# rating groups come from the network and could be any number, so the memory is emptied when full.
RATES_REMEMBERED: Final = 16_384
# Called numbers with their zone, about 120 octets each; and per service the contexts with their class, about 500.
CALLED_NUMBERS_REMEMBERED: Final = 65_536
# Days whose tariff changes are worked out: the look ahead and some for late reports.
CALENDAR_DAYS_REMEMBERED: Final = 64
# How far ahead a tariff change is looked for: a grant's Validity-Time is hours, and a week repeats.
TARIFF_CHANGE_HORIZON_DAYS: Final = 14
# Mistakes told at once by `ocs catalogue check`: each is found by compiling the catalogue once more (some 10 ms), and
# nobody corrects more before looking again.
CATALOGUE_FINDINGS_MAX: Final = 200
# Publications of one store: a change every day for ten years, about 64 octets each, read by every worker at each look.
CATALOGUES_PUBLISHED_MAX: Final = 4_096
# Versions that a worker keeps beside the one in force, for grants made under them: some megabytes each; grants live for
# hours, and who changes prices more often than that has the older ones read again.
CATALOGUES_KEPT: Final = 8
# How often a worker looks for published catalogues: a notice tells it at once, but only if it is connected then. What
# is published this long ahead is used by all workers from its first second on.
CATALOGUE_LOOK_INTERVAL_S: Final = 10.0

# How long a process that starts waits for a store that is just starting too.
STORE_PATIENCE_S: Final = 10.0

# --- Receiving traps -----------------------------------------------------------------------------------
# Sources whose rations are remembered, about 300 octets each; an operator of 10,000 elements has some to spare.
TRAP_SOURCES_MAX: Final = 16_384
# A source that sends more than its ration may still send this many times the ration of what may clear an alarm.
STORM_CLEARS_RATIO: Final = 4
# A storm is over when nothing of its source was dropped for this long.
STORM_QUIET_MS: Final = 30_000
# So many seconds of its ration a source may send at once: a card that fails takes hundreds of interfaces with it.
TRAP_BURST_S: Final = 5
# Reports (RFC 3414) to one address and in all: a sender needs two to begin, one of our restarts asks every sender once.
SNMP_REPORTS_PER_PEER_PER_S: Final = 20
SNMP_REPORTS_PER_S: Final = 2_000
# Informs whose acknowledgement is remembered, about 400 octets each: senders repeat for seconds, at most some hundred a
# second each.
INFORMS_REMEMBERED_MAX: Final = 32_768
# What may arrive while a commit is under way: at 20,000 a second and 300 octets (each takes its share of kernel memory
# besides) some 300 ms. The kernel's own bound (net.core.rmem_max) may give less.
TRAP_SOCKET_BUFFER_OCTETS: Final = 8_388_608
# Datagrams read before others have their turn: at 50 us each 12 ms.
TRAPS_PER_READ: Final = 256
# Notifications of one commit, and those that wait for one. When so many wait, the sockets are not read: the kernel
# drops what it cannot hold, and informs are repeated by their senders.
TRAPS_PER_COMMIT: Final = 256
# When so many wait, the next commit is made ready before the one under way is durable; fewer are taken together then:
# a commit costs an fsync however much it holds.
TRAPS_AHEAD_MIN: Final = 128
TRAPS_WAITING_MAX: Final = 8_192
# Sources with their own count of datagrams that were no notification; the others are counted together.
DISCARD_SOURCES_MAX: Final = 4_096
# A source whose datagrams are discarded is told as an alarm once in so long.
DISCARD_ALARM_INTERVAL_MS: Final = 86_400_000

# --- What traps mean -----------------------------------------------------------------------------------
# A value as it is shown to people, in characters: a line of a terminal or two; devices send kilobytes of text.
VALUE_CHARACTERS_MAX: Final = 160
# Object identifiers whose names are remembered, about 500 octets each: 10,000 interfaces with six columns each.
MIB_NAMES_REMEMBERED: Final = 65_536
# MIB modules of the operator's own: a vendor has some 300. What one takes as a source, the largest known have 2 MiB,
# and compiled; a hostile one must not fill the memory.
MIB_MODULES_MAX: Final = 2_048
MIB_SOURCE_OCTETS_MAX: Final = 4_194_304
MIB_TABLE_OCTETS_MAX: Final = 16_777_216
# Rules of all files together, and the octets of one file: some hundred traps a vendor.
ALARM_RULES_MAX: Final = 20_000
ALARM_RULE_FILE_OCTETS_MAX: Final = 4_194_304
# Kinds of traps (trap OIDs) whose rules were looked up and are remembered: only those of a flood exceed it.
TRAP_KINDS_REMEMBERED: Final = 16_384
# Details of one signal: they stay in the alarm's value. What a rule asks for, else the first few of the trap.
DETAILS_PER_SIGNAL_MAX: Final = 12
DETAILS_UNASKED: Final = 6
# A resource or a qualifier, in characters: longer ones are cut and end in a digest, so that they stay distinct.
ALARM_KEY_CHARACTERS_MAX: Final = 200
ALARM_TEXT_CHARACTERS_MAX: Final = 400
# Kinds of unknown traps that one source may have alarms of, then they share one; and sources of which that is known.
UNKNOWN_TRAPS_PER_SOURCE: Final = 32
UNKNOWN_TRAP_SOURCES_MAX: Final = 16_384

# --- SNMP wire -----------------------------------------------------------------------------------------
# What UDP over IPv4 can carry (65,535 less two headers); also what we say that we take (msgMaxSize).
SNMP_DATAGRAM_OCTETS_MAX: Final = 65_507
# Varbinds of one notification: real ones have under 40; a datagram could hold 10,000 empty ones.
SNMP_VARBINDS_MAX: Final = 256
# RFC 2578 section 3.5: arcs of one object identifier.
SNMP_OBJECT_IDENTIFIER_ARCS_MAX: Final = 128
# Object identifiers, and whole varbinds up to that length, that are remembered with what they say, so that what comes
# again is not read again: about 400 octets each; the memory is emptied when full.
SNMP_NAMES_REMEMBERED: Final = 16_384
SNMP_VARBINDS_REMEMBERED: Final = 16_384
SNMP_VARBIND_REMEMBERED_OCTETS: Final = 96
# Whole lists of varbinds, up to that length, that are remembered with what they say and, when they come again, with
# what the rules make of them: about 3 KiB each. A storm says the same again, and so do elements with alike ports.
SNMP_CONTENTS_REMEMBERED: Final = 8_192
SNMP_CONTENT_REMEMBERED_OCTETS: Final = 1_024
# Senders (engines) with their own localised keys, about 2 KiB each: 32 MiB. Made anew in microseconds.
SNMP_KEYS_REMEMBERED: Final = 16_384
# Engines whose boots and time are remembered, about 300 octets each. One that is forgotten can be replayed.
SNMP_ENGINES_REMEMBERED_MAX: Final = 65_536
# Peers for which it is remembered whether they are trusted proxies.
SNMP_PEERS_REMEMBERED: Final = 16_384
# RFC 3414 section 2.2.3: how old an authentic message may be.
SNMP_TIME_WINDOW_S: Final = 150

# --- Alarms in the store -------------------------------------------------------------------------------
# A node that owns the alarm list says so with each commit and once a second; silent for this long it has lost it. Traps
# wait that long when a node dies; informs are repeated by their senders for about as long.
ALARM_LEASE_MS: Final = 5_000
ALARM_LEASE_RENEWED_S: Final = 1.0
ALARM_LEASE_ASKED_S: Final = 0.25
# How often `ocs up` asks the processes of the alarms whether they are there, and how many answers in a row may fail:
# with the time that it waits for one (CHANNEL_TIMEOUT_S) a stopped one is told within ten seconds.
PROCESS_BEAT_INTERVAL_S: Final = 2.0
PROCESS_BEATS_MISSED: Final = 2
# Alarms, changes, sources and purges of one commit together: some milliseconds of the store's time.
ALARM_ITEMS_PER_COMMIT_MAX: Final = 20_000
# Entries of the list read at a time while it is loaded: half a mebioctet, a millisecond of the store's time.
ALARMS_PER_PAGE: Final = 1_000
# Changes read at a time by who follows them, and how long a look waits for the next: shorter than the store's timeout.
ALARM_CHANGES_PER_READ: Final = 500
ALARM_FOLLOW_WAIT_MS: Final = 1_000
# How often the owner of the list looks for what operators did; and how many of their deeds are kept for it: one who
# missed more loads the list again.
ALARM_DESK_INTERVAL_S: Final = 0.1
ALARM_DESK_CHANGES_MAX: Final = 10_000
# How soon a new maintenance window counts; people plan them hours ahead.
WINDOWS_LOOK_INTERVAL_S: Final = 1.0
# An operator's deed that lost a race so often is refused.
ALARM_DESK_ATTEMPTS_MAX: Final = 20
# Alarms that operators group under each other, one below the next: two or three make sense.
ALARM_GROUP_DEPTH_MAX: Final = 16
# Changes are kept for this long after everybody has acknowledged them, for views that are behind; and so many, about
# 1 KiB each, for readers that do not acknowledge. What a reader then misses is counted.
ALARM_CHANGES_KEPT_S: Final = 60
ALARM_CHANGES_MAX: Final = 500_000
ALARM_TRIM_INTERVAL_S: Final = 5.0
# Who follows the list looks so often whether it is still its node's.
ALARM_HOLDER_INTERVAL_S: Final = 1.0
# History and notices give way: in a storm they get a tenth of a processor, the receiver and the store the rest. What
# they have not read waits in the store.
FOLLOWERS_NICENESS: Final = 10
# Views of the list: rows of one page; changes that wait for one who watches, before it is told to load again.
ALARM_ROWS_PER_PAGE_MAX: Final = 1_000
ALARM_WATCH_CHANGES_MAX: Final = 1_000
# Over HTTP: alarms of one task (acknowledge all of a pattern), each a commit of half a millisecond and more, within
# HTTP_REQUEST_TIMEOUT_S; tasks that are remembered of each kind; how long an answer waits for the owner of the list to
# do what it was asked for: a commit and the way back take some milliseconds.
ALARM_TASK_ALARMS_MAX: Final = 1_000
ALARM_TASKS_KEPT: Final = 1_000
ALARM_ORDER_WAIT_S: Final = 2.0
# TMF642's conditions that the view does not know: one step is a look at one alarm (some 100 ns), making and comparing
# an attribute is many. 200,000 alarms take ten conditions; half a second in all, in slices between which others are
# served. One caller searches once at a time, and so many of his searches wait for that.
ALARM_SEARCH_STEPS_MAX: Final = 2_000_000
ALARM_SEARCHES_WAITING_MAX: Final = 8

# --- Notices of alarms ---------------------------------------------------------------------------------
# Changes read from the stream at a time, and how often it is looked at; notices that wait for one recipient, about
# 1 KiB each, and those that it never took, which people look at.
NOTICES_PER_READ: Final = 500
NOTICE_INTERVAL_S: Final = 0.5
NOTICES_WAITING_MAX: Final = 10_000
NOTICES_DEAD_MAX: Final = 1_000
# A recipient that fails is tried again within the delay; what it did not take for a day is given up.
NOTICE_RETRY_DELAY_S: Final = 1.0
NOTICE_RETRY_DELAY_MAX_S: Final = 300.0
NOTICE_GIVEN_UP_S: Final = 86_400.0
# Notices in one mail, which somebody reads, or in one post; a subject that phones show; how long a mail server has.
MAIL_NOTICES_MAX: Final = 500
WEBHOOK_NOTICES_MAX: Final = 100
MAIL_SUBJECT_CHARACTERS_MAX: Final = 200
MAIL_TIMEOUT_S: Final = 30.0
# Managers above us: one notification at a time, each acknowledged before the next when it is an inform.
MANAGER_NOTICES_MAX: Final = 50
MANAGER_TIMEOUT_S: Final = 2.0
MANAGER_RETRIES: Final = 2

# --- Alarm history and SQL -----------------------------------------------------------------------------
# Changes put into the history in one transaction; rows forgotten in one; how often it is looked at.
HISTORY_BATCH: Final = 500
HISTORY_FORGET_BATCH: Final = 5_000
HISTORY_INTERVAL_S: Final = 1.0
HISTORY_FORGET_INTERVAL_S: Final = 3_600.0
HISTORY_ROWS_PER_PAGE_MAX: Final = 1_000
# Episodes that one report reads: a year of a busy network; a longer one is asked for in parts.
HISTORY_REPORT_EPISODES_MAX: Final = 1_000_000
# How long a unit of work waits for SQLite's one writer or for a connection of the pool, and how long a migration waits
# for the one that runs.
SQL_LOCK_TIMEOUT_S: Final = 10.0
SQL_MIGRATION_TIMEOUT_S: Final = 120.0
SQL_CONNECTIONS_MAX: Final = 5

# --- The alarm list ------------------------------------------------------------------------------------
# Entries of the list, active and cleared: 100,000 active ones are an operator's worst day. Beyond it cleared ones
# leave, the oldest first; when all are active, new ones are counted and not taken.
ALARMS_MAX: Final = 200_000
# Of these, what sources may have together that the topology does not know, and one of them: addresses are easily
# forged, and what they say must leave room for the elements. A quarter is more than a network has that nobody
# described.
ALARMS_OF_STRANGERS_MAX: Final = 50_000
ALARMS_PER_STRANGER_MAX: Final = 2_000
# Entries of status-change and of operator-state-change that an alarm keeps (RFC 8632 max-alarm-status-changes);
# history in SQL has the rest. Comments of one alarm; texts and names of people in characters.
STATUS_CHANGES_MAX: Final = 32
OPERATOR_CHANGES_MAX: Final = 32
ALARM_COMMENTS_MAX: Final = 50
OPERATOR_TEXT_CHARACTERS_MAX: Final = 1_000
OPERATOR_NAME_CHARACTERS_MAX: Final = 100
# Longest shelf: what is to be silent for longer is no alarm, and its rule should say so.
SHELVE_MAX_MS: Final = 90 * 86_400_000
# A clear that overtook its raise is remembered so long: informs are repeated for a minute at most. So many at a time:
# half of a fibre cut's 5,000 would be many; and as many of sources that the topology does not know. What a step
# forgets.
TOMBSTONE_MEMORY_MS: Final = 120_000
TOMBSTONES_MAX: Final = 8_192
TOMBSTONES_FORGOTTEN_PER_STEP: Final = 2_000
# A signal from further ahead of our clock than this is taken as of now: the next one must be able to follow it.
SIGNAL_AHEAD_MAX_MS: Final = 60_000
# Planned windows that are known at a time.
MAINTENANCE_WINDOWS_MAX: Final = 1_000
# Alarms that are looked at in one go when they become due, or purged in one step: each is a line or two of one commit.
ALARMS_DUE_PER_TICK: Final = 2_000
# Services named on one alarm; the number of subscribers counts them all.
AFFECTED_SERVICES_MAX: Final = 32
# Sources whose clocks are followed, about 500 octets each: so many of the topology, and as many strangers.
CLOCK_SOURCES_MAX: Final = 65_536
# Agents that speak from one address, each with an uptime of its own: snmpd, a vendor's, and some from before a restart.
CLOCK_LIVES_PER_SOURCE_MAX: Final = 8

# --- Topology ------------------------------------------------------------------------------------------
# What a resource depends on, all the way up: an access router behind ten others has some hundred.
UPSTREAM_RESOURCES_MAX: Final = 2_048
# Resources whose way up is remembered, some kilobytes each: a network of 10,000 elements has a few for each.
UPSTREAM_REMEMBERED: Final = 32_768
# One file of topology, in octets: 100,000 interfaces.
TOPOLOGY_FILE_OCTETS_MAX: Final = 33_554_432

# --- Supervision and resynchronisation of elements -----------------------------------------------------
# How often an element may be expected to send something, at most, and to be asked without an occasion.
HEARTBEAT_MIN_S: Final = 1
RESYNC_INTERVAL_MIN_S: Final = 60
# A source is silent after so many of its intervals: one lost datagram is no silence.
HEARTBEATS_MISSED: Final = 2
# Silences are looked at so often, and kept so often: what a restart forgets of them.
SUPERVISION_INTERVAL_S: Final = 1.0
SILENCES_KEPT_INTERVAL_S: Final = 30.0
# Elements that are asked at a time: each is some milliseconds of work for each answer, beside the traps.
RESYNCS_AT_ONCE: Final = 8
# An element that restarted is asked when it has had time to bring up its interfaces; all of them at our own start
# within so long; one of them not sooner than this after the time before.
RESYNC_AFTER_RESTART_MS: Final = 5_000
RESYNC_START_SPREAD_MS: Final = 30_000
RESYNC_PAUSE_MS: Final = 10_000
# After a failure it is asked again so soon, twice as long after each further one, at most so late.
RESYNC_RETRY_MS: Final = 30_000
RESYNC_RETRY_MAX_MS: Final = 3_600_000
# One look at an element: how long it may take, one question of it, and how often that is asked again.
RESYNC_TIMEOUT_S: Final = 60.0
SNMP_POLL_TIMEOUT_S: Final = 2.0
SNMP_POLL_RETRIES: Final = 2
# Rows asked for in one question: some kilobytes, which one datagram carries.
SNMP_POLL_REPETITIONS: Final = 25
# What is read below one name: a router with 10,000 interfaces has as many rows in each column; a thousand alarms of RFC
# 3877 with some varbinds each have this many values. How many alarms one element may say at once that the list lacks.
SNMP_WALK_VALUES_MAX: Final = 100_000
RESYNC_SIGNALS_MAX: Final = 20_000
SNMP_WALK_OCTETS_MAX: Final = 16_777_216
# The table of alarms is read again when it changed meanwhile, so often.
ALARM_TABLE_READINGS_MAX: Final = 3
# Tables that are described in all files, and columns of one.
WALKS_MAX: Final = 1_000
WALK_COLUMNS_MAX: Final = 32

# --- Inventory -----------------------------------------------------------------------------------------
# Names of resources and services, in characters: an index over a million of them stays in memory.
INVENTORY_NAME_CHARACTERS_MAX: Final = 200
# VLAN-IDs, IEEE 802.1Q section 9.6: 0 and 4095 are reserved.
VLAN_MIN: Final = 1
VLAN_MAX: Final = 4_094
# Records of one page; records written or looked up in one statement (PostgreSQL takes 65,535 parameters).
INVENTORY_PAGE_MAX: Final = 1_000
INVENTORY_BATCH: Final = 500
# Names that an impact shows of each sort; the counts are of all.
IMPACT_SHOWN: Final = 20
# Numbers of one range, each a row: ten blocks of a numbering plan. Digits of an E.164 number.
RANGE_NUMBERS_MAX: Final = 1_000_000
MSISDN_DIGITS_MIN: Final = 5
MSISDN_DIGITS_MAX: Final = 15
# Attempts to take something that others take at the same moment, before the caller is told to try again.
RESERVATION_ATTEMPTS_MAX: Final = 10
# Services that the topology of alarms knows one by one; beyond that those of one model at one place count as one.
SERVICES_NAMED_MAX: Final = 10_000
# How often the network process looks whether the inventory has changed.
INVENTORY_LOOK_S: Final = 5.0
# Resources that one discovery of an element may bring: a router with 10,000 interfaces has as many and its parts.
DISCOVERED_RESOURCES_MAX: Final = 50_000

# --- Configuration of network elements ------------------------------------------------------------------
# Sets of YANG modules that are kept loaded, some megabytes each: one for each type of element.
SCHEMAS_KEPT: Final = 64
# Texts of one YANG type that are known to fit, or why not: patterns are dear.
YANG_VALUES_REMEMBERED: Final = 1_024
# Secrets that configurations name, and how long one must be to be recognised when it is read.
SECRETS_MAX: Final = 10_000
SECRET_CONCEALED_OCTETS_MIN: Final = 8
# Types of elements, and one file that describes one: a command line's is long.
ELEMENT_TYPES_MAX: Final = 1_000
ELEMENT_TYPE_FILE_OCTETS_MAX: Final = 1_048_576
# One answer of an element: 100,000 interfaces with all their leaves are 30 MB, which nobody has; lxml makes a tenfold
# tree of it. Its hello: a router lists 1,000 modules in 150 kB.
NETCONF_MESSAGE_OCTETS_MAX: Final = 16_777_216
NETCONF_HELLO_OCTETS_MAX: Final = 1_048_576
NETCONF_CAPABILITIES_MAX: Final = 10_000
# Requests of one session that wait for their answers; we send one after the other.
NETCONF_REQUESTS_MAX: Final = 64
# Notifications that came before an answer that is waited for.
NETCONF_NOTIFICATIONS_MAX: Final = 1_000
# Paths that one notification of a change tells us; a change of more is looked at as a whole.
CHANGED_PATHS_MAX: Final = 1_000
# Paths that one filter names; more are read with the whole top-level container around them.
NETCONF_FILTER_PATHS_MAX: Final = 1_000
# Octets of an element's answer that wait in one session before it stops reading.
NETCONF_UNREAD_OCTETS_MAX: Final = 262_144
# From the first octet to an open session: slow boxes compute seconds for one key exchange.
ELEMENT_CONNECT_TIMEOUT_S: Final = 20.0
# An element's answer to one operation, unless its type says otherwise; our farewell.
ELEMENT_OPERATION_TIMEOUT_S: Final = 30.0
ELEMENT_FAREWELL_TIMEOUT_S: Final = 2.0
# An idle connection is dead after so many questions without an answer.
ELEMENT_KEEPALIVES_MISSED: Final = 3
# Connections that are being made at a time: key exchanges are CPU of ours, and more at once are only all late.
ELEMENT_CONNECTS_AT_ONCE: Final = 32
# Our last sessions with one element whose numbers are known: a change that one made is told within moments.
ELEMENT_SESSIONS_REMEMBERED: Final = 16
# Connections in a row that fail before an element is left alone, how long at first, and at most.
BREAKER_FAILURES_MAX: Final = 3
BREAKER_PAUSE_S: Final = 2.0
BREAKER_PAUSE_MAX_S: Final = 300.0

# --- Command lines of network elements ---
# One answer of a command line: a configuration of 100,000 lines has 5 MB.
CLI_ANSWER_OCTETS_MAX: Final = 8_388_608
# A last line that may be a prompt; names of hosts have 63 letters, lines of configuration that are longer are none.
CLI_PROMPT_OCTETS_MAX: Final = 512
# Our terminal: as wide as boxes allow (511 and 512 are usual ends), so that no line is wrapped or scrolled.
CLI_COLUMNS: Final = 511
CLI_ROWS: Final = 1_000
# Sections in sections of a configuration; deeper lines belong to the deepest section.
CLI_SECTIONS_DEPTH_MAX: Final = 8
# Questions that a box asks about one line.
CLI_QUESTIONS_MAX: Final = 5

# --- Transactions over network elements ------------------------------------------------------------------
# A transaction that finds an element locked or away waits, twice as long each time, and gives up after an hour in all.
TRANSACTION_POSTPONED_S: Final = 2.0
TRANSACTION_ATTEMPTS_MAX: Final = 11
# Transactions under way at once in one process, each with a session for each of its elements.
TRANSACTIONS_UNDER_WAY_MAX: Final = 64
# What waits and is looked at for the next to begin: more wait in the database.
TRANSACTIONS_LOOKED_AT: Final = 2_000
# How long the owner of the queue is trusted to live without a word, and how often it gives one.
QUEUE_LEASE_S: Final = 15.0
QUEUE_LEASE_RENEWAL_S: Final = 5.0
# How often the queue is looked at when nobody says that there is something new.
QUEUE_LOOK_S: Final = 1.0
# What is decided or rolled back and lacks an element is tried again so often, ever more seldom.
CARRYING_RETRY_S: Final = 1.0
CARRYING_RETRY_MAX_S: Final = 60.0
# How long what is under way may take to end when the process is asked to; the rest is for whoever comes next. Less than
# `ocs up` waits for a child.
TRANSACTIONS_DRAIN_S: Final = 10.0
# How often elements that are away or in doubt are looked at, for alarms and figures.
ELEMENTS_LOOK_S: Final = 2.0
# Elements that were away are tried so many at a time; each as seldom as its circuit breaker says.
ELEMENTS_TRIED_AT_ONCE: Final = 16
# Transactions of which the steps are kept, for those who watch one.
PROGRESS_TRANSACTIONS_MAX: Final = 256

# --- Drift, rules and backups of configurations -----------------------------------------------------------
# Changed paths that are looked at one by one; more are cheaper read as a whole.
DRIFT_PATHS_MAX: Final = 50
# Elements that are compared at a time: as many in turn, and as many at once that told of a change.
DRIFT_LOOKS_AT_ONCE: Final = 16
# A look waits for a transaction that holds its element, so often and so long between; then it is put off.
DRIFT_BUSY_WAIT_S: Final = 0.25
DRIFT_ATTEMPTS_MAX: Final = 40
# After a change everything is compared, when it has been quiet for so long; a busy element waits no longer than so.
DRIFT_SETTLE_S: Final = 3.0
DRIFT_SETTLE_MAX_S: Final = 60.0
# What was not reached is tried again so soon; the circuit breaker of the element makes it more seldom.
DRIFT_RETRY_S: Final = 15.0
# How often the inventory is asked which elements there are.
DRIFT_ELEMENTS_LOOK_S: Final = 10.0
# How soon a process that works off the queue from now on begins to watch.
DRIFT_ACTIVE_LOOK_S: Final = 1.0
# Reverts of one element in an hour: whoever changes it again and again is a person's to stop.
DRIFT_REVERTS_PER_HOUR_MAX: Final = 5
# Lines of the difference in an alarm, and characters of one: the rest is in `ocs config drift`.
DRIFT_ALARM_LINES_MAX: Final = 20
DRIFT_ALARM_LINE_CHARACTERS_MAX: Final = 200
# Findings of one element that are kept; an element that lost everything has as many as it has owned paths.
DRIFT_FINDINGS_MAX: Final = 1_000
# Services that are named with a finding; a path may have a million.
DRIFT_OWNERS_NAMED: Final = 10
# One file of rules, and rules in all.
COMPLIANCE_FILE_OCTETS_MAX: Final = 1_048_576
COMPLIANCE_RULES_MAX: Final = 10_000
# Backups kept of one element, the youngest; a restore needs the last days, an audit asks its own archive.
BACKUPS_PER_ELEMENT_MAX: Final = 100

# --- Services in the network -------------------------------------------------------------------------------
# One text of an order, such as a resource's name; servers of one sort in an element's baseline.
SERVICE_PARAMETER_CHARACTERS_MAX: Final = 200
BASELINE_SERVERS_MAX: Final = 16
# Ids of services and of what ordered something of them: columns of the journal and of who owns what.
SERVICE_ID_CHARACTERS_MAX: Final = 64
# What is reserved while an order waits its turn; renewed each time that it is planned, within an hour or so.
SERVICE_RESERVATION_MS: Final = 24 * 3_600_000
# How often a command that waits looks how far a transaction has come.
TRANSACTION_LOOK_S: Final = 0.1
# One configuration as text: as much as an element may answer, in the form of a mapping.
BACKUP_OCTETS_MAX: Final = 268_435_456
# Transactions of one batch; each is a row, and a plan when its turn comes.
BATCH_TRANSACTIONS_MAX: Final = 10_000
# Resources that a list of a TM Forum API looks at one by one, for conditions or an order that SQL does not answer.
TMF_RESOURCES_SEARCHED_MAX: Final = 5_000
# How far behind the last one a transaction may still appear that moved before it: a unit of work in SQL takes so long.
TRANSACTIONS_TOLD_AGAIN_MS: Final = 10_000
# Items of one order; each is a transaction, and all are shown with the order.
SERVICE_ORDER_ITEMS_MAX: Final = 100
# How often a commit is confirmed before an element that always says yes, and still waits, is not believed.
CONFIRMATIONS_MAX: Final = 3
# Differences that the refusal of an adoption names.
ADOPTION_DIFFERENCES_TOLD: Final = 5
# Problems of one element with one rule that a report names.
GOLDEN_PROBLEMS_MAX: Final = 100
