"""The scenarios: each reads the network, and tells a story from a seed."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from simulators.traps import notices
from simulators.traps.network import Cable, Element, Network, NetworkError, Port
from simulators.traps.stories import (
    CARD_FAILED,
    FAN_FAILED,
    LINK_DOWN,
    NO_ROOT,
    PEER_DOWN,
    TRAP_STORM,
    Act,
    Clock,
    Expected,
    Sending,
    Story,
    disorder,
)

DOUBLED: Final = 0.05
# So often a port flaps; a babbler's clock goes on after so many notifications.
_FLAPS: Final = 20
_BABBLE_PER_TICK: Final = 100
# Of the sessions that a cut takes down, so many go down, come back and go down: their clears overtake raises.
_FLUTTERING: Final = 0.2
_WRAP_TICKS: Final = 1 << 32
_STRANGER: Final = "127.99.0.1"
_FAN_NORMAL, _FAN_SLOW, _FAN_STILL = 1, 2, 3


def fibre_cut(network: Network, random: Random, count: int) -> Story:
    """A fibre is cut: both its ends and everything that is reached over it complain. Then it is spliced.

    The cut alone is about ``count`` notifications; in random order, one in twenty comes twice.
    """
    cable = network.widest_cable()
    speakers = [element for element in network.beyond(cable) if element.address]
    # Of the two ends of a link the first by name stands for both.
    first = min(cable.ends, key=lambda end: end.place)
    root = first.resource, LINK_DOWN
    sessions = _sessions(speakers, max(1, round((count / (1 + DOUBLED) - 2) / (1 + 2 * _FLUTTERING))))
    clocks = _clocks(network, cable, speakers)
    fluttering = random.sample(sessions, round(len(sessions) * _FLUTTERING))
    cut = [_link(clocks, end, is_up=False) for end in cable.ends]
    stands = [_end_of_cut(end, root) for end in cable.ends]
    stands += [
        Expected(f"{element.name}/bgp/{address}", PEER_DOWN, root=root) for element, address in sessions
    ]
    for told, is_up in ((sessions, False), (fluttering, True), (fluttering, False)):
        for clock in clocks.values():
            clock.advance()
        cut += [
            clocks[element.name].says(notices.neighbour(address, is_up=is_up)) for element, address in told
        ]
    for clock in clocks.values():
        clock.advance()
    mended = [_link(clocks, end, is_up=True) for end in cable.ends]
    mended += [
        clocks[element.name].says(notices.neighbour(address, is_up=True)) for element, address in sessions
    ]
    return Story(
        "fibre-cut",
        (
            Act("the fibre is cut", disorder(cut, random, doubled=DOUBLED), stands),
            Act("the fibre is spliced", disorder(mended, random, doubled=DOUBLED), _over(stands)),
        ),
        frozenset(clocks),
    )


def card_failure(network: Network, random: Random, count: int) -> Story:
    """A card fails: its ports and the far ends of their links go down. Then it is replaced."""
    del count
    element, card = _card_of_most_links(network)
    ports = [port for port in element.ports if port.card == card]
    ends = [end for cable in network.cables for end in cable.ends if set(cable.ends) & set(ports)]
    affected = sorted({*ports, *ends}, key=lambda port: port.resource)
    affected = [port for port in affected if network.elements[port.element].address]
    root = f"{element.name}/card/{card}", CARD_FAILED
    clocks = {port.element: Clock(network.elements[port.element].address) for port in affected}
    clocks.setdefault(element.name, Clock(element.address))
    failed = [clocks[element.name].says(notices.card(card, is_up=False))]
    failed += [_link(clocks, port, is_up=False) for port in affected]
    for clock in clocks.values():
        clock.advance()
    replaced = [clocks[element.name].says(notices.card(card, is_up=True))]
    replaced += [_link(clocks, port, is_up=True) for port in affected]
    stands = [
        Expected(*root, root=NO_ROOT),
        *(Expected(port.resource, LINK_DOWN, root=root) for port in affected),
    ]
    return Story(
        "card-failure",
        (
            Act("the card fails", disorder(failed, random, doubled=DOUBLED), stands),
            Act("the card is replaced", disorder(replaced, random, doubled=DOUBLED), _over(stands)),
        ),
        frozenset(clocks),
    )


def flapping(network: Network, random: Random, count: int) -> Story:
    """A port goes down and up, over and over, and stays up."""
    del random, count
    port = _free_port(network)
    clock = Clock(network.elements[port.element].address)
    told: list[Sending] = []
    for _ in range(_FLAPS):
        for is_up in (False, True):
            told.append(_says_link(clock, port, is_up=is_up))
            clock.advance()
    is_over = Expected(port.resource, LINK_DOWN, is_cleared=True, occurrences=_FLAPS)
    return Story("flapping", (Act("a port flaps", told, [is_over]),), frozenset({port.element}))


def skewed_clock(network: Network, random: Random, count: int) -> Story:
    """An element whose calendar is of 1999 and whose uptime wraps tells of its fan, in the wrong order.

    What it said last, by its own uptime, is what stands: the fan is still. Played again, it needs a minute's pause: its
    uptime is the same then, as if it had restarted.
    """
    del count
    speakers = network.speakers()
    # One whose uptime no other scenario tells, if there is one.
    element = next((speaker for speaker in speakers if not speaker.ports), speakers[-1])
    clock = Clock(element.address)
    told: list[Sending] = []
    for state in (_FAN_SLOW, _FAN_STILL, _FAN_NORMAL, _FAN_SLOW, _FAN_NORMAL, _FAN_STILL, _FAN_NORMAL):
        clock.advance(10)
        told.append(clock.says(notices.fan(1, state=state)))
    first, *others, normal = told
    stands = [Expected(f"{element.name}/fan/1", FAN_FAILED, root=NO_ROOT)]
    return Story(
        "skewed-clock",
        (
            Act("the fan stops", [first, *disorder(others, random, doubled=DOUBLED)], stands),
            Act("the fan turns", [normal], _over(stands)),
        ),
        frozenset({element.name}),
        begin_ticks=_WRAP_TICKS - 35,
    )


def silent(network: Network, random: Random, count: int) -> Story:
    """An element says that a port is down, and nothing more: it stands."""
    del random, count
    port = _free_port(network)
    clock = Clock(network.elements[port.element].address)
    stands = Expected(port.resource, LINK_DOWN, root=NO_ROOT, occurrences=1)
    told = [_says_link(clock, port, is_up=False)]
    return Story("silent", (Act("last words", told, [stands]),), frozenset({port.element}))


def storm(network: Network, random: Random, count: int) -> Story:
    """A stranger babbles, and among it all one element has one thing to say."""
    port = _free_port(network)
    clock, babbler = Clock(network.elements[port.element].address), Clock(_STRANGER)
    babble = _babble(babbler, count)
    cry = _says_link(clock, port, is_up=False)
    clock.advance()
    relief = _says_link(clock, port, is_up=True)
    at = random.randrange(len(babble) + 1)
    babbling = Expected(f"{_STRANGER}/if/7", LINK_DOWN, root=NO_ROOT)
    # Only one that sends more than its ration is told of; when it is over depends on how long it is quiet.
    stormy = Expected(_STRANGER, TRAP_STORM, must_be=False)
    stands = Expected(port.resource, LINK_DOWN, root=NO_ROOT, occurrences=1)
    calm = babbler.says(notices.link(7, "loose-contact", is_up=True))
    return Story(
        "storm",
        (
            Act("one babbles", [*babble[:at], cry, *babble[at:]], [babbling, stormy, stands]),
            Act("it stops", [relief, calm], [*_over([babbling, stands]), stormy]),
        ),
        frozenset({port.element, _STRANGER}),
    )


def mixed(network: Network, random: Random, count: int) -> Story:
    """A fibre cut beside a babbling stranger: the storm goes on through both acts."""
    cut = fibre_cut(network, random, count)
    babbler = Clock(_STRANGER)
    babbling = Expected(f"{_STRANGER}/if/7", LINK_DOWN, root=NO_ROOT)
    stormy = Expected(_STRANGER, TRAP_STORM, must_be=False)
    acts: list[Act] = []
    for act in cut.acts:
        told = _interleaved(act.sendings, _babble(babbler, len(act.sendings)), random)
        acts.append(Act(act.name, told, [*act.expected, babbling, stormy]))
    calm = babbler.says(notices.link(7, "loose-contact", is_up=True))
    acts.append(Act("the babbler stops", [calm], [*cut.acts[-1].expected, *_over([babbling]), stormy]))
    return Story("mixed", tuple(acts), cut.elements | {_STRANGER})


Scenario = Callable[[Network, Random, int], Story]
SCENARIOS: Final[dict[str, Scenario]] = {
    "card-failure": card_failure,
    "fibre-cut": fibre_cut,
    "flapping": flapping,
    "skewed-clock": skewed_clock,
    "silent": silent,
    "storm": storm,
    "mixed": mixed,
}


# --- Parts of stories ---------------------------------------------------------------------------------------------


def _sessions(speakers: list[Element], count: int) -> list[tuple[Element, str]]:
    """Neighbours of each element, evenly; the same addresses everywhere, so that templates are shared."""
    each = -(-count // len(speakers))
    addresses = [f"10.{n >> 14 & 127}.{n >> 7 & 127}.{n & 127}" for n in range(1, each + 1)]
    return [(element, address) for address in addresses for element in speakers][:count]


def _clocks(network: Network, cable: Cable, speakers: list[Element]) -> dict[str, Clock]:
    elements = {element.name: element for element in speakers}
    elements |= {end.element: network.elements[end.element] for end in cable.ends}
    return {name: Clock(element.address) for name, element in sorted(elements.items())}


def _link(clocks: dict[str, Clock], port: Port, *, is_up: bool) -> Sending:
    return _says_link(clocks[port.element], port, is_up=is_up)


def _says_link(clock: Clock, port: Port, *, is_up: bool) -> Sending:
    return clock.says(notices.link(port.index, port.name, is_up=is_up))


def _end_of_cut(end: Port, root: tuple[str, str]) -> Expected:
    is_root = (end.resource, LINK_DOWN) == root
    return Expected(end.resource, LINK_DOWN, root=NO_ROOT if is_root else root)


def _babble(babbler: Clock, count: int) -> list[Sending]:
    """The same over and over, and a tick of silence."""
    told: list[Sending] = []
    for number in range(count):
        told.append(babbler.says(notices.link(7, "loose-contact", is_up=False)))
        if number % _BABBLE_PER_TICK == 0:
            babbler.advance()
    babbler.advance()
    return told


def _over(stands: list[Expected]) -> list[Expected]:
    return [Expected(one.resource, one.alarm_type, is_cleared=True) for one in stands]


def _card_of_most_links(network: Network) -> tuple[Element, str]:
    wired = [end for cable in network.cables for end in cable.ends if end.card]
    cards = [(end.element, end.card) for end in wired if network.elements[end.element].address]
    if not cards:
        raise NetworkError("no element with a loopback address has a card with a port on a link")
    name, card = max(sorted(set(cards)), key=cards.count)
    return network.elements[name], card


def _free_port(network: Network) -> Port:
    """The first port of an element that can speak."""
    for element in network.speakers():
        if element.ports:
            return element.ports[0]
    raise NetworkError("no element with a loopback address has a port with a number")


def _interleaved(one: Sequence[Sending], other: Sequence[Sending], random: Random) -> list[Sending]:
    """Both, each in its own order."""
    places = set(random.sample(range(len(one) + len(other)), len(one)))
    first, second = iter(one), iter(other)
    return [next(first) if place in places else next(second) for place in range(len(one) + len(other))]
