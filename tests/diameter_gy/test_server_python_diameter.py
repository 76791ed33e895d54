"""The `diameter` package's own node as gateway: a stack that we did not write, with threads of its own."""

import logging

import pytest
import trio
from diameter.message.commands import CreditControlAnswer, CreditControlRequest
from diameter.message.constants import E_CC_REQUEST_TYPE_INITIAL_REQUEST, E_SUBSCRIPTION_ID_TYPE_END_USER_IMSI
from diameter.node import Node
from diameter.node.application import SimpleThreadingApplication


def new_request(node, application):
    request = CreditControlRequest()
    request.session_id = node.session_generator.next_id()
    request.origin_host = node.origin_host.encode()
    request.origin_realm = node.realm_name.encode()
    request.destination_realm = b"lab.example"
    request.auth_application_id = application.application_id
    request.service_context_id = "32251@3gpp.org"
    request.cc_request_type = E_CC_REQUEST_TYPE_INITIAL_REQUEST
    request.cc_request_number = 0
    request.add_subscription_id(
        subscription_id_type=E_SUBSCRIPTION_ID_TYPE_END_USER_IMSI, subscription_id_data="262011234567890"
    )
    request.add_multiple_services_credit_control(rating_group=10)
    return request


@pytest.fixture
def node():
    logging.getLogger("diameter").setLevel(logging.CRITICAL)
    node = Node("node.example", "example")
    node.wakeup_interval = 1
    node.idle_timeout = 1  # it sends a watchdog after a second of silence
    return node


async def test_node_exchanges_capabilities_and_watchdogs_is_charged_and_leaves(lab, node):
    async with lab.serving() as (server, listeners):
        port = listeners[0].socket.getsockname()[1]
        peer = node.add_peer(
            f"aaa://ocs.lab.example:{port};transport=tcp", "lab.example", ip_addresses=["127.0.0.1"],
            is_persistent=True,
        )  # fmt: skip
        application = SimpleThreadingApplication(
            4, is_auth_application=True, request_handler=lambda app, message: None
        )
        node.add_application(application, [peer])
        node.start()
        try:
            await trio.to_thread.run_sync(application.wait_for_ready, 10, abandon_on_cancel=True)
            (shown,) = server.peers()
            assert (shown.origin_host, shown.state) == ("node.example", "open")
            (connection,) = server._connections
            commands = []
            send = connection.send
            connection.send = lambda message: (
                commands.append(int.from_bytes(message[5:8], "big")),
                send(message),
            )
            request = new_request(node, application)
            answer = await trio.to_thread.run_sync(application.send_request, request, 10)
            assert isinstance(answer, CreditControlAnswer)
            assert answer.result_code == 2001
            assert answer.session_id == request.session_id
            (service,) = answer.multiple_services_credit_control
            assert service.rating_group == 10
            assert service.granted_service_unit.cc_total_octets == 1_000_000
            assert service.validity_time == 600
            while 280 not in commands:
                await trio.sleep(0.02)
        finally:
            await trio.to_thread.run_sync(node.stop, 10)
        while server.peers():
            await trio.sleep(0.02)
        assert commands[0] == 272
        assert commands[-1] == 282
