"""Where the API server is and how to speak to it: as a pod, else as the kubeconfig says."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
from kubernetes import client, config


@dataclass(frozen=True, slots=True)
class Access:
    """``headers`` is asked for every request: tokens of service accounts change."""

    url: str
    tls: ssl.SSLContext | None
    headers: Callable[[], dict[str, str]]

    def session(self) -> aiohttp.ClientSession:
        """A session of its own, for who wants only a session."""

        async def with_headers(
            request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
        ) -> aiohttp.ClientResponse:
            request.headers.update(self.headers())
            return await handler(request)

        connector = aiohttp.TCPConnector(limit=0, ssl=self.tls or True)
        return aiohttp.ClientSession(connector=connector, middlewares=(with_headers,))


def access() -> Access:
    """Of this process.

    :raises kubernetes.config.ConfigException: there is neither.
    """
    found = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=found)  # type: ignore[no-untyped-call]
    except config.ConfigException:
        config.load_kube_config(client_configuration=found)  # type: ignore[no-untyped-call]
    tls = None
    if found.host.startswith("https"):
        tls = ssl.create_default_context(cafile=found.ssl_ca_cert)
        # authorities of many clusters lack the extensions that the strict check asks for
        tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if not found.verify_ssl:
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
        if found.cert_file:
            tls.load_cert_chain(found.cert_file, found.key_file)

    def headers() -> dict[str, str]:
        token = found.get_api_key_with_prefix("BearerToken", "authorization")
        return {"Authorization": token} if token else {}

    return Access(found.host.rstrip("/"), tls, headers)
