"""LangChain's graph store and neo4j-graphrag's schema over an Everwhen node.

Runs in an environment of its own: ``python -m tests.tools.langchain_suite PORT SECURED_PORT``.
"""

from __future__ import annotations

import sys
from typing import Any

import neo4j
from langchain_core.documents import Document
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_neo4j import GraphCypherQAChain, Neo4jChatMessageHistory, Neo4jGraph
from langchain_neo4j.graphs.graph_document import GraphDocument, Node, Relationship
from neo4j_graphrag.embeddings.base import Embedder
from neo4j_graphrag.indexes import (
    create_fulltext_index,
    create_vector_index,
    drop_index_if_exists,
)
from neo4j_graphrag.retrievers import HybridRetriever
from neo4j_graphrag.schema import get_structured_schema

from tests.drivers.python_common import PASSWORD, case, raises
from tests.drivers.python_main import main


def store(port: int, **more: Any) -> Neo4jGraph:
    return Neo4jGraph(f"bolt://127.0.0.1:{port}", username="neo4j", password=PASSWORD, **more)


def people() -> list[GraphDocument]:
    ada = Node(id="Ada", type="Person", properties={"born": 1815})
    charles = Node(id="Charles", type="Person", properties={"born": 1791})
    engine = Node(id="Engine", type="Machine")
    return [
        GraphDocument(
            nodes=[ada, charles, engine],
            relationships=[
                Relationship(source=ada, target=charles, type="KNEW", properties={"since": 1833}),
                Relationship(source=charles, target=engine, type="DESIGNED"),
            ],
            source=Document(page_content="Ada knew Charles.", metadata={"id": "page-1"}),
        )
    ]


@case
def documents_are_added_once(_: int, secured: int) -> None:
    graph = store(secured)
    for _turn in range(2):
        graph.add_graph_documents(people(), include_source=True, baseEntityLabel=True)
    counted = graph.query(
        "MATCH (n:__Entity__) OPTIONAL MATCH (d:Document)-[m:MENTIONS]->(n) "
        "RETURN count(DISTINCT n) AS nodes, count(DISTINCT d) AS documents, count(m) AS mentions"
    )
    assert counted == [{"nodes": 3, "documents": 1, "mentions": 3}], counted
    known = graph.query("MATCH (:Person)-[r:KNEW]->(p:Person) RETURN p.id AS who, r.since AS since")
    assert known == [{"who": "Charles", "since": 1833}], known
    graph.close()


@case
def documents_without_a_common_label(_: int, secured: int) -> None:
    graph = store(secured)
    graph.add_graph_documents(people(), include_source=False, baseEntityLabel=False)
    found = graph.query("MATCH (:Person {id: $id})-[:DESIGNED]->(m) RETURN m.id AS m",
                        {"id": "Charles"})  # fmt: skip
    assert {"m": "Engine"} in found, found
    graph.close()


@case
def the_schema_says_what_is_there(_: int, secured: int) -> None:
    for enhanced in (False, True):
        graph = store(secured, enhanced_schema=enhanced)
        graph.refresh_schema()
        schema = graph.get_structured_schema
        born = {item["property"]: item["type"] for item in schema["node_props"]["Person"]}
        assert born == {"id": "STRING", "born": "INTEGER"}, born
        links = schema["relationships"]
        assert {"start": "Person", "type": "KNEW", "end": "Person"} in links, links
        assert {"start": "Person", "type": "DESIGNED", "end": "Machine"} in links, links
        since = {item["property"]: item["type"] for item in schema["rel_props"]["KNEW"]}
        assert since == {"since": "INTEGER"}, since
        assert "(:Person)-[:KNEW]->(:Person)" in graph.get_schema
        graph.close()


@case
def graphrag_reads_the_same_schema(_: int, secured: int) -> None:
    uri = f"bolt://127.0.0.1:{secured}"
    with neo4j.GraphDatabase.driver(uri, auth=("neo4j", PASSWORD)) as driver:
        driver.execute_query("CREATE INDEX IF NOT EXISTS FOR (n:Person) ON (n.born)")
        driver.execute_query("CALL db.awaitIndexes()")
        schema = get_structured_schema(driver, is_enhanced=True)
    assert {"start": "Person", "type": "KNEW", "end": "Person"} in schema["relationships"]
    index = next(each for each in schema["metadata"]["index"] if each["properties"] == ["born"])
    assert (index["label"], index["distinctValues"]) == ("Person", 2.0), index


class Letters(Embedder):  # type: ignore[misc] # the library is not there where types are checked
    """How often a text has the letters a and b."""

    def embed_query(self, text: str) -> list[float]:
        return [1.0 + text.count("a"), 1.0 + text.count("b")]


@case
def graphrag_finds_by_words_and_vectors_together(_: int, secured: int) -> None:
    uri = f"bolt://127.0.0.1:{secured}"
    embedder = Letters()
    texts = ["Bob builds boats", "Ada asks", "A cat and a bat"]
    with neo4j.GraphDatabase.driver(uri, auth=("neo4j", PASSWORD)) as driver:
        create_vector_index(driver, "page_vectors", "Page", "embedding", 2, "cosine")
        create_fulltext_index(driver, "page_texts", "Page", ["text"])
        driver.execute_query(
            "UNWIND $rows AS row CREATE (:Page {text: row[0], embedding: row[1]})",
            rows=[[text, embedder.embed_query(text)] for text in texts],
        )
        retriever = HybridRetriever(driver, "page_vectors", "page_texts", embedder)
        found = retriever.search(query_text="boats", top_k=3)
        assert "Bob builds boats" in found.items[0].content, found.items
        drop_index_if_exists(driver, "page_texts")
        drop_index_if_exists(driver, "page_vectors")


@case
def a_chain_asks_in_cypher(_: int, secured: int) -> None:
    graph = store(secured)
    model = FakeListChatModel(
        responses=["MATCH (:Person {id: 'Ada'})-[:KNEW]->(p) RETURN p.id AS who", "Charles."]
    )
    chain = GraphCypherQAChain.from_llm(
        model, graph=graph, allow_dangerous_requests=True, return_intermediate_steps=True
    )
    answer = chain.invoke({"query": "Whom did Ada know?"})
    assert answer["result"] == "Charles.", answer
    assert answer["intermediate_steps"][1]["context"] == [{"who": "Charles"}], answer
    graph.close()


@case
def a_conversation_is_kept(_: int, secured: int) -> None:
    history = Neo4jChatMessageHistory(
        session_id="s1", url=f"bolt://127.0.0.1:{secured}", username="neo4j", password=PASSWORD
    )
    history.add_message(HumanMessage(content="Hello"))
    history.add_message(AIMessage(content="Good day"))
    assert [each.content for each in history.messages] == ["Hello", "Good day"]
    history.clear()
    assert history.messages == []


@case
def wrong_cypher_is_a_syntax_error(_: int, secured: int) -> None:
    graph = store(secured)
    error = raises(neo4j.exceptions.CypherSyntaxError, lambda: graph.query("MATCH (n RETURN n"))
    assert "line 1, column 10" in str(error), error
    graph.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv))
