// What a program does with Neo4j's Java driver. java -cp ... Suite.java PORT SECURED_PORT
import java.time.*;
import java.util.*;
import org.neo4j.driver.*;
import org.neo4j.driver.exceptions.*;

public class Suite {
  static String port, secured;

  interface Case { void run(Driver driver) throws Exception; }

  static void check(boolean holds, Object about) {
    if (!holds) throw new AssertionError(about);
  }

  static <T extends Throwable> T raises(Class<T> kind, Runnable call) {
    try {
      call.run();
    } catch (Throwable error) {
      if (kind.isInstance(error)) return kind.cast(error);
      throw new AssertionError("expected " + kind.getSimpleName(), error);
    }
    throw new AssertionError(kind.getSimpleName() + " did not come");
  }

  static Driver open(String scheme) {
    return GraphDatabase.driver(scheme + "://127.0.0.1:" + port, AuthTokens.none());
  }

  public static void main(String[] arguments) {
    port = arguments[0];
    secured = arguments[1];
    Map<String, Case> cases = new LinkedHashMap<>();
    cases.put("connect", Suite::connect);
    cases.put("auth", Suite::auth);
    cases.put("counters", Suite::counters);
    cases.put("conflict", Suite::conflict);
    cases.put("transactions", Suite::transactions);
    cases.put("bookmarks", Suite::bookmarks);
    cases.put("stream", Suite::stream);
    cases.put("reset", Suite::reset);
    cases.put("timeout", Suite::timeout);
    cases.put("values", Suite::values);
    cases.put("elements", Suite::elements);
    cases.put("errors", Suite::errors);
    int failures = 0;
    for (var each : cases.entrySet()) {
      try (Driver driver = open("neo4j")) {
        each.getValue().run(driver);
        System.out.println("ok " + each.getKey());
      } catch (Throwable error) {
        failures++;
        System.out.println("FAILED " + each.getKey());
        error.printStackTrace(System.out);
      }
    }
    System.exit(failures == 0 ? 0 : 1);
  }

  static void connect(Driver ignored) {
    for (String scheme : List.of("bolt", "neo4j")) {
      try (Driver driver = open(scheme); Session session = driver.session()) {
        driver.verifyConnectivity();
        Result result = session.run("RETURN 1 AS one");
        check(result.single().get("one").asInt() == 1, "one");
        check(result.consume().server().agent().startsWith("Neo4j/"), "agent");
      }
    }
  }

  static void auth(Driver ignored) {
    String uri = "neo4j://127.0.0.1:" + secured;
    try (Driver good = GraphDatabase.driver(uri, AuthTokens.basic("neo4j", "correct horse"))) {
      good.verifyConnectivity();
    }
    try (Driver bad = GraphDatabase.driver(uri, AuthTokens.basic("neo4j", "wrong"))) {
      raises(AuthenticationException.class, bad::verifyConnectivity);
    }
  }

  static void counters(Driver driver) {
    var summary = driver.executableQuery("CREATE (:Java {x: 1})-[:R]->(:Java)").execute().summary();
    check(summary.counters().nodesCreated() == 2, summary.counters());
    driver.executableQuery("MATCH (n:Java) DETACH DELETE n").execute();
  }

  static void conflict(Driver driver) {
    driver.executableQuery("CREATE (:JavaCounter {x: 0})").execute();
    int[] attempts = {0};
    try (Session session = driver.session()) {
      session.executeWriteWithoutResult(tx -> {
        attempts[0]++;
        tx.run("MATCH (c:JavaCounter) RETURN c.x").consume();
        if (attempts[0] == 1)
          driver.executableQuery("MATCH (c:JavaCounter) SET c.x = c.x + 10").execute();
        tx.run("MATCH (c:JavaCounter) SET c.x = c.x + 1").consume();
      });
      check(attempts[0] == 2, attempts[0]);
      check(session.run("MATCH (c:JavaCounter) RETURN c.x").single().get(0).asInt() == 11, "x");
      session.run("MATCH (c:JavaCounter) DELETE c").consume();
    }
  }

  static void transactions(Driver driver) {
    try (Session session = driver.session()) {
      try (Transaction tx = session.beginTransaction()) {
        tx.run("CREATE (:JavaTx)");
        tx.rollback();
      }
      check(session.run("MATCH (n:JavaTx) RETURN count(n)").single().get(0).asInt() == 0, "rolled back");
      raises(ClientException.class, () -> session.executeRead(tx -> tx.run("CREATE ()").consume()));
    }
  }

  static void bookmarks(Driver driver) {
    Set<Bookmark> marks;
    try (Session session = driver.session()) {
      session.executeWriteWithoutResult(tx -> tx.run("CREATE (:JavaMark)").consume());
      marks = session.lastBookmarks();
    }
    try (Session session = driver.session(SessionConfig.builder().withBookmarks(marks).build())) {
      check(session.run("MATCH (n:JavaMark) DELETE n RETURN count(n)").single().get(0).asInt() == 1, "mark");
    }
  }

  static void stream(Driver driver) {
    try (Session session = driver.session()) {
      long total = 0;
      Result result = session.run("UNWIND range(1, 50000) AS x RETURN x");
      while (result.hasNext()) total += result.next().get("x").asLong();
      check(total == 50000L * 50001 / 2, total);
    }
  }

  static void reset(Driver driver) throws Exception {
    String slow = "UNWIND range(1, 10000) AS x UNWIND range(1, 10000) AS y WITH x, y WHERE x + y < 0 RETURN x";
    for (int turn = 0; turn < 3; turn++) {
      try (Session session = driver.session(SessionConfig.builder().withFetchSize(10).build())) {
        Result result = session.run("UNWIND range(1, 1000000) AS x RETURN x");
        for (int seen = 0; seen < 25; seen++) result.next();
      }
    }
    Session session = driver.session();
    Thread closer = new Thread(() -> {
      try {
        Thread.sleep(200);
      } catch (InterruptedException error) {
        throw new IllegalStateException(error);
      }
      driver.close();
    });
    closer.start();
    raises(Exception.class, () -> session.run(slow).consume());
    closer.join();
    try (Driver again = open("bolt")) {
      again.executableQuery("RETURN 1").execute();
    }
  }

  static void timeout(Driver driver) {
    String slow = "UNWIND range(1, 10000) AS x UNWIND range(1, 10000) AS y WITH x, y WHERE x + y < 0 RETURN x";
    TransactionConfig config = TransactionConfig.builder().withTimeout(Duration.ofMillis(200)).build();
    try (Session session = driver.session()) {
      var error = raises(ClientException.class, () -> session.run(slow, config).consume());
      check(error.code().contains("TransactionTimedOut"), error.code());
    }
  }

  static void values(Driver driver) {
    List<Object> values = new ArrayList<>(List.of(
        true, false, Long.MAX_VALUE, Long.MIN_VALUE, -17L, 1.5, "å🙂", List.of(1L, List.of("x")), Map.of("a", List.of()),
        LocalDate.of(2024, 2, 29), LocalTime.of(1, 2, 3, 4), OffsetTime.of(1, 2, 3, 4, ZoneOffset.ofHours(1)),
        LocalDateTime.of(2024, 2, 29, 1, 2, 3, 4), ZonedDateTime.of(2024, 7, 1, 1, 2, 3, 4, ZoneId.of("Europe/Stockholm")),
        ZonedDateTime.of(2024, 7, 1, 1, 2, 3, 4, ZoneOffset.ofHours(2))));
    try (Session session = driver.session()) {
      for (Object value : values) {
        Object back = session.run("RETURN $v AS v", Map.of("v", value)).single().get("v").asObject();
        check(value.equals(back), value + " came back as " + back);
      }
      for (Value value : List.of(Values.point(7203, 1.5, 2.5), Values.point(4979, 1.5, 2.5, 3.5),
          Values.isoDuration(1, 2, 3, 4), Values.value(new byte[] {1, -2}), Values.NULL)) {
        Value back = session.run("RETURN $v AS v", Values.parameters("v", value)).single().get("v");
        check(value.equals(back), value + " came back as " + back);
      }
    }
  }

  static void elements(Driver driver) {
    try (Session session = driver.session()) {
      var row = session.run("CREATE p = (a:JavaWalk {n: 'a'})-[r:TO {w: 1.5}]->(b:JavaWalk)<-[:TO]-(:JavaWalk) RETURN p, a, r").single();
      check(row.get("a").asNode().hasLabel("JavaWalk"), "label");
      check(row.get("r").asRelationship().startNodeElementId().equals(row.get("a").asNode().elementId()), "start");
      check(row.get("p").asPath().length() == 2, "length");
      session.run("MATCH (n:JavaWalk) DETACH DELETE n").consume();
    }
  }

  static void errors(Driver driver) {
    try (Session session = driver.session()) {
      var error = raises(ClientException.class, () -> session.run("RETURN 1 +").consume());
      check(error.code().equals("Neo.ClientError.Statement.SyntaxError"), error.code());
      raises(ClientException.class, () -> session.run("RETURN $missing").consume());
      check(session.run("RETURN 1").single().get(0).asInt() == 1, "after errors");
    }
  }
}
