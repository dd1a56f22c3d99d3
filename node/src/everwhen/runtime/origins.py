"""Who and what a commit comes from."""

from __future__ import annotations

from collections.abc import Sequence

from everwhen.codec.journal import statement_hash
from everwhen.errors import QueryArgumentError
from everwhen.limits import AUDIT_TEXT_BYTES_MAX, TRANSACTION_METADATA_BYTES_MAX
from everwhen.runtime.requests import Caller, TransactionOptions
from everwhen.txn.commands import Origin


def origin_of(
    options: TransactionOptions, caller: Caller, texts: Sequence[str], batch: int, salt: bytes
) -> Origin:
    """The origin of a transaction of these statements; ``batch``: that of CALL { } IN TRANSACTIONS
    it is.

    :raises QueryArgumentError: too much metadata.
    """
    metadata = {str(key): str(value) for key, value in options.metadata.items()}
    size = sum(len(key) + len(value) for key, value in metadata.items())
    if size > TRANSACTION_METADATA_BYTES_MAX:
        raise QueryArgumentError(
            f"transaction metadata of {size:,} bytes is above the limit of "
            f"{TRANSACTION_METADATA_BYTES_MAX:,}"
        )
    client, sequence = options.request_id
    if client and batch:
        # every batch of CALL { } IN TRANSACTIONS is a commit, with an id, of its own
        client = f"{client}/{batch}"
    return Origin(
        principal=caller.principal,
        client=caller.client,
        tag=caller.tag,
        metadata=metadata,
        statement_hash=statement_hash(texts),
        salt=salt,
        request_client=client,
        request_sequence=sequence,
    )


def kept_texts(texts: Sequence[str]) -> list[str]:
    """The statements' texts if all of them together are within the limit, else none."""
    if sum(map(len, texts)) > AUDIT_TEXT_BYTES_MAX:
        return []
    size = sum(len(text.encode()) for text in texts)
    return [] if size > AUDIT_TEXT_BYTES_MAX else list(texts)
