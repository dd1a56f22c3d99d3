"""News of commits: held back for entries, told at once to who waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from everwhen import raft
from everwhen.limits import COMMIT_NEWS_SECONDS
from everwhen.raft import Entry, Message, MessageType
from everwhen.runtime.replica.commit_news import CommitNews


def append(to: int, commit: int, *, entries: int = 0) -> raft.Message:
    return Message(MessageType.APP, to, commit=commit, entries=[Entry()] * entries)


def run(script: Callable[[CommitNews, list[tuple[int, int]]], Awaitable[None]]) -> None:
    async def body() -> None:
        sent: list[tuple[int, int]] = []
        news = CommitNews(lambda message: sent.append((message.to, message.commit)))
        await script(news, sent)

    asyncio.run(body())


def test_the_newest_news_go_after_a_while():
    async def script(news: CommitNews, sent: list[tuple[int, int]]) -> None:
        assert not news.passes(append(3, 5))
        assert not news.passes(append(2, 5))
        assert not news.passes(append(2, 6))
        assert sent == []
        await asyncio.sleep(COMMIT_NEWS_SECONDS * 4)
        assert sent == [(2, 6), (3, 5)]

    run(script)


def test_entries_take_the_news_along():
    async def script(news: CommitNews, sent: list[tuple[int, int]]) -> None:
        assert not news.passes(append(2, 5))
        assert news.passes(append(2, 5, entries=1))
        await asyncio.sleep(COMMIT_NEWS_SECONDS * 4)
        assert sent == []

    run(script)


def test_who_waits_for_an_outcome_is_told_at_once():
    async def script(news: CommitNews, sent: list[tuple[int, int]]) -> None:
        news.awaited(2, 7)
        assert news.passes(append(2, 6, entries=1))
        assert news.passes(append(2, 6))
        assert not news.passes(append(3, 7))
        assert news.passes(append(2, 7))
        assert not news.passes(append(2, 8))

    run(script)


def test_everybody_is_told_what_is_no_data():
    async def script(news: CommitNews, sent: list[tuple[int, int]]) -> None:
        assert not news.passes(append(3, 5))
        assert not news.passes(append(2, 5))
        news.release_all()
        assert sent == [(2, 5), (3, 5)]

    run(script)


def test_who_is_answered_a_read_is_told_before():
    async def script(news: CommitNews, sent: list[tuple[int, int]]) -> None:
        assert not news.passes(append(2, 5))
        news.release(2)
        news.release(3)
        assert sent == [(2, 5)]
        await asyncio.sleep(COMMIT_NEWS_SECONDS * 4)
        assert sent == [(2, 5)]

    run(script)
