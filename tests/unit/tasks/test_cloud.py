"""Reading a cloud: what is found, how many requests it takes, and what each error says in a line."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from keystoneauth1 import exceptions as keystone
from msgspec.structs import replace

from podroutes.errors import AuthenticationError, CloudBusyError, CloudError, PodRoutesError, UnreachableError
from podroutes.inventory.key_types import SubnetNames
from podroutes.inventory.network_plan import Cloud
from tasks.cloud import call, collect_cloud, read
from tests.unit.tasks.neutron import Neutron, raising, refusal, subnet

# The SDK warns of what it calls itself.
pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")

CLOUD = Cloud(name="cloud", cloud="kubernetes", network="the-network", subnet=SubnetNames(["kubernetes"]))
ID = "9f8e4d2b-cbcc-4650-a60e-8a37603fbf0c"


def no_sleep(_: float) -> None:
    """Does not wait."""


class TestCollecting:
    @pytest.mark.parametrize("workers", [3, 60, 200])
    def test_three_requests_however_many_workers_there_are(self, workers: int) -> None:
        neutron = Neutron(workers)
        state = collect_cloud(neutron.connection, CLOUD)
        assert neutron.requests == ["read networks", "read subnets", "read ports"]
        assert len(state.ports) == workers
        assert (state.network_id, state.subnets[4].id, state.router) == ("n", "four", None)

    def test_and_one_more_for_the_router(self) -> None:
        neutron = Neutron()
        state = collect_cloud(neutron.connection, replace(CLOUD, router="kubernetes"))
        assert len(neutron.requests) == 4
        assert state.router is not None
        assert state.router.id == "r"

    def test_ids_take_no_more_requests_than_names(self) -> None:
        neutron = Neutron(networks=[{"id": ID, "name": "the-network"}], routers=[{"id": ID, "name": "r", "routes": []}])
        for one in (*neutron.content["subnets"], *neutron.content["ports"]):
            one["network_id"] = ID
        by_id = replace(CLOUD, network=ID, subnet=("four",), router=ID)
        state = collect_cloud(neutron.connection, by_id)
        assert len(neutron.requests) == 4
        assert (state.network_id, state.subnets[4].id) == (ID, "four")

    def test_a_name_that_looks_like_an_id_is_found_too(self) -> None:
        neutron = Neutron(networks=[{"id": "n", "name": ID}])
        assert collect_cloud(neutron.connection, replace(CLOUD, network=ID)).network_id == "n"

    def test_only_the_networks_own_subnets_and_ports_are_asked_for(self) -> None:
        neutron = Neutron()
        collect_cloud(neutron.connection, CLOUD)
        assert neutron.queries == ["networks name=the-network", "subnets network_id=n", "ports network_id=n"]

    @pytest.mark.parametrize(
        ("cloud", "content", "message"),
        [
            (
                {"network": "wrong"},
                {},
                "cloud kubernetes has no network wrong that this user sees; check data.network in the inventory",
            ),
            (
                {},
                {"networks": [{"id": "a", "name": "the-network"}, {"id": "b", "name": "the-network"}]},
                "cloud kubernetes has 2 networks named the-network; write the id in the inventory",
            ),
            (
                {"subnet": ("wrong",)},
                {},
                "network the-network has no subnet wrong; it has: kubernetes",
            ),
            (
                {},
                {"subnets": []},
                "network the-network has no subnet kubernetes; it has: none",
            ),
            (
                {},
                {"subnets": [subnet("four", "kubernetes"), subnet("b", "kubernetes")]},
                "network the-network has 2 subnet kubernetes; it has: kubernetes, kubernetes; write the id",
            ),
            (
                {"subnet": ("kubernetes", "b")},
                {"subnets": [subnet("four", "kubernetes"), subnet("b", "other")]},
                "the subnets kubernetes and other are both IPv4; data.subnet takes one of each family",
            ),
            (
                {"router": "wrong"},
                {},
                "cloud kubernetes has no router wrong that this user sees; check data.router in the inventory",
            ),
        ],
    )
    def test_what_the_inventory_names_and_the_cloud_has_not(
        self, cloud: dict[str, Any], content: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(CloudError, match=f"^{re.escape(message)}$"):
            collect_cloud(Neutron(**content).connection, replace(CLOUD, **cloud))


OVER = "Unable to complete operation for x. The number of host routes exceeds the limit 5."


@pytest.mark.parametrize(
    ("failure", "error", "message"),
    [
        (
            refusal(403, "PolicyNotAuthorized", "rule:update_subnet is disallowed by policy"),
            CloudError,
            (
                "cloud kubernetes does not allow this user to write it (403): ask the project's administrator for the "
                "member role"
            ),
        ),
        (
            raising(keystone.Forbidden("You are not authorized")),
            CloudError,
            (
                "cloud kubernetes does not allow this user to write it (403): ask the project's administrator for the "
                "member role"
            ),
        ),
        (
            refusal(400, "HostRoutesExhausted", OVER),
            CloudError,
            (
                "cloud kubernetes could not write it: Unable to complete operation for x. The number of host routes "
                "exceeds the limit 5; write the operator's limit as max_subnet_host_routes in the inventory; then use "
                "route_target: router, larger node CIDRs on fewer workers, or have the operator raise it"
            ),
        ),
        (
            refusal(400, "AllowedAddressPairExhausted", "The number of allowed address pair exceeds the maximum 10."),
            CloudError,
            (
                "cloud kubernetes could not write it: The number of allowed address pair exceeds the maximum 10; "
                "remove foreign pairs from that port, or have the operator raise max_allowed_address_pair"
            ),
        ),
        (
            refusal(404, "SubnetNotFound", "Subnet x could not be found."),
            CloudError,
            "cloud kubernetes could not write it: Subnet x could not be found",
        ),
        (
            refusal(409, "OverQuota", "Quota exceeded for resources: ['router_route']."),
            CloudBusyError,
            (
                "cloud kubernetes could not write it: Quota exceeded for resources: ['router_route']; remove "
                "foreign ones, or have the operator raise the limit"
            ),
        ),
        (
            refusal(412, "RevisionNumberConstraintFailed", "Constrained to 3, but current revision is 4"),
            CloudError,
            "cloud kubernetes could not write it: Constrained to 3, but current revision is 4",
        ),
        (
            refusal(500, "HTTPInternalServerError", "Request Failed: internal server error."),
            CloudError,
            "cloud kubernetes could not write it: Request Failed: internal server error",
        ),
        (
            refusal(503, message="503 Service Unavailable"),
            CloudBusyError,
            "cloud kubernetes could not write it: 503 Service Unavailable",
        ),
        (
            raising(keystone.ServiceUnavailable("Service Unavailable")),
            CloudBusyError,
            "cloud kubernetes could not write it: Service Unavailable (HTTP 503)",
        ),
        (
            raising(keystone.Unauthorized("The request you have made requires authentication.")),
            AuthenticationError,
            (
                "cloud kubernetes refuses the credentials of clouds.yaml: The request you have made requires "
                "authentication. (HTTP 401)"
            ),
        ),
        (
            raising(keystone.ConnectFailure("Unable to establish connection to http://127.0.0.1:9696:\nrefused")),
            UnreachableError,
            "the API of cloud kubernetes does not answer: Unable to establish connection to http://127.0.0.1:9696",
        ),
        (
            raising(keystone.SSLError("SSL exception connecting to https://127.0.0.1:5000")),
            UnreachableError,
            "the API of cloud kubernetes does not answer: SSL exception connecting to https://127.0.0.1:5000",
        ),
        (
            raising(keystone.UnknownConnectionError("Unexpected exception for http://x", ValueError())),
            UnreachableError,
            "the API of cloud kubernetes does not answer: Unexpected exception for http://x",
        ),
        (
            raising(keystone.DiscoveryFailure("Could not find versioned identity endpoints.")),
            UnreachableError,
            "the API of cloud kubernetes does not answer: Could not find versioned identity endpoints",
        ),
        (
            raising(keystone.EndpointNotFound("public endpoint for network service not found")),
            CloudError,
            "cloud kubernetes could not write it: public endpoint for network service not found",
        ),
    ],
)
def test_each_error_is_one_line_for_whoever_has_to_act(
    failure: Callable[[], None], error: type[PodRoutesError], message: str
) -> None:
    with pytest.raises(PodRoutesError) as raised:
        call(CLOUD, "write it", failure)
    assert (type(raised.value), str(raised.value)) == (error, message)
    assert raised.value.__cause__ is not None


def test_a_connection_that_fails_is_told_by_what_the_system_said() -> None:
    def request() -> None:
        try:
            raise OSError(111, "Connection refused")
        except OSError as error:
            url = "http://127.0.0.1:9696/v2.0/networks"
            message = f"Unable to establish connection to {url}: HTTPConnectionPool(host='127.0.0.1'): Max retries"
            raise keystone.ConnectFailure(message) from error

    with pytest.raises(UnreachableError) as raised:
        call(CLOUD, "read", request)
    assert str(raised.value) == (
        "the API of cloud kubernetes does not answer: Unable to establish connection to "
        "http://127.0.0.1:9696/v2.0/networks: Connection refused"
    )


def test_what_was_being_handled_meanwhile_is_no_part_of_it() -> None:
    try:
        raise CloudError("an earlier error") from keystone.ConnectTimeout("too slow")
    except CloudError:
        with pytest.raises(UnreachableError, match=r": hung up$") as raised:
            call(CLOUD, "read", raising(keystone.ConnectFailure("hung up")))
    assert raised.value.__cause__ is not None


class TestReadingAgain:
    @pytest.mark.parametrize(
        "failure",
        [
            refusal(503, message="no server"),
            refusal(409, "Conflict", "not now"),
            raising(keystone.ConnectFailure("hung up")),
        ],
    )
    def test_what_passes_is_survived_twice(self, failure: Callable[[], None]) -> None:
        pauses: list[float] = []
        failures = [failure, failure]

        def request() -> str:
            if failures:
                failures.pop()()
            return "read"

        assert read(CLOUD, "read", request, sleep=pauses.append) == "read"
        assert pauses == [0.2, 0.8]
        failures[:] = [failure] * 3
        with pytest.raises((CloudBusyError, UnreachableError)):
            read(CLOUD, "read", request, sleep=pauses.append)
        assert failures == []

    @pytest.mark.parametrize(
        "failure",
        [
            refusal(400, "x", "x"),
            refusal(403, "x", "x"),
            refusal(404, "x", "x"),
            refusal(412, "x", "x"),
            refusal(500, "x", "x"),
            raising(keystone.Unauthorized("x")),
            raising(keystone.ConnectTimeout("x")),
        ],
    )
    def test_all_else_is_asked_for_once(self, failure: Callable[[], None]) -> None:
        calls: list[int] = []

        def request() -> None:
            calls.append(1)
            failure()

        with pytest.raises(PodRoutesError):
            read(CLOUD, "read", request, sleep=no_sleep)
        assert calls == [1]

    def test_nor_what_was_too_slow_underneath(self) -> None:
        calls: list[int] = []

        def request() -> None:
            calls.append(1)
            raise keystone.DiscoveryFailure("no versions") from keystone.ConnectTimeout("timed out")

        with pytest.raises(UnreachableError):
            read(CLOUD, "read", request, sleep=no_sleep)
        assert calls == [1]
