// What a program does with Neo4j's Go driver: PORT SECURED_PORT.
package main

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/neo4j/neo4j-go-driver/v5/neo4j"
	"github.com/neo4j/neo4j-go-driver/v5/neo4j/dbtype"
)

var ctx = context.Background()
var port, secured string

const slow = "UNWIND range(1, 10000) AS x UNWIND range(1, 10000) AS y WITH x, y WHERE x + y < 0 RETURN x"

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func check(holds bool, about ...any) {
	if !holds {
		panic(fmt.Sprint(about...))
	}
}

func open(scheme string) neo4j.DriverWithContext {
	driver, err := neo4j.NewDriverWithContext(scheme+"://127.0.0.1:"+port, neo4j.NoAuth())
	must(err)
	return driver
}

func run(driver neo4j.DriverWithContext, text string, parameters map[string]any) *neo4j.EagerResult {
	result, err := neo4j.ExecuteQuery(ctx, driver, text, parameters, neo4j.EagerResultTransformer)
	must(err)
	return result
}

func code(err error) string {
	if found, is := err.(*neo4j.Neo4jError); is {
		return found.Code
	}
	return fmt.Sprint(err)
}

func connect(_ neo4j.DriverWithContext) {
	for _, scheme := range []string{"bolt", "neo4j"} {
		driver := open(scheme)
		must(driver.VerifyConnectivity(ctx))
		check(run(driver, "RETURN 1 AS one", nil).Records[0].Values[0] == int64(1))
		driver.Close(ctx)
	}
}

func auth(_ neo4j.DriverWithContext) {
	uri := "neo4j://127.0.0.1:" + secured
	good, _ := neo4j.NewDriverWithContext(uri, neo4j.BasicAuth("neo4j", "correct horse", ""))
	must(good.VerifyConnectivity(ctx))
	good.Close(ctx)
	bad, _ := neo4j.NewDriverWithContext(uri, neo4j.BasicAuth("neo4j", "wrong", ""))
	err := bad.VerifyConnectivity(ctx)
	check(code(err) == "Neo.ClientError.Security.Unauthorized", err)
	bad.Close(ctx)
}

func counters(driver neo4j.DriverWithContext) {
	found := run(driver, "CREATE (:Go {x: 1})-[:R]->(:Go)", nil).Summary.Counters()
	check(found.NodesCreated() == 2 && found.RelationshipsCreated() == 1)
	run(driver, "MATCH (n:Go) DETACH DELETE n", nil)
}

func conflict(driver neo4j.DriverWithContext) {
	run(driver, "CREATE (:GoCounter {x: 0})", nil)
	session := driver.NewSession(ctx, neo4j.SessionConfig{})
	defer session.Close(ctx)
	attempts := 0
	_, err := session.ExecuteWrite(ctx, func(tx neo4j.ManagedTransaction) (any, error) {
		attempts++
		if _, err := tx.Run(ctx, "MATCH (c:GoCounter) RETURN c.x", nil); err != nil {
			return nil, err
		}
		if attempts == 1 {
			run(driver, "MATCH (c:GoCounter) SET c.x = c.x + 10", nil)
		}
		return tx.Run(ctx, "MATCH (c:GoCounter) SET c.x = c.x + 1", nil)
	})
	must(err)
	check(attempts == 2, attempts)
	check(run(driver, "MATCH (c:GoCounter) RETURN c.x", nil).Records[0].Values[0] == int64(11))
	run(driver, "MATCH (c:GoCounter) DELETE c", nil)
}

func bookmarks(driver neo4j.DriverWithContext) {
	session := driver.NewSession(ctx, neo4j.SessionConfig{})
	_, err := session.ExecuteWrite(ctx, func(tx neo4j.ManagedTransaction) (any, error) {
		return tx.Run(ctx, "CREATE (:GoMark)", nil)
	})
	must(err)
	marks := session.LastBookmarks()
	session.Close(ctx)
	session = driver.NewSession(ctx, neo4j.SessionConfig{Bookmarks: marks})
	defer session.Close(ctx)
	result, err := session.Run(ctx, "MATCH (n:GoMark) DELETE n RETURN count(n)", nil)
	must(err)
	record, err := result.Single(ctx)
	must(err)
	check(record.Values[0] == int64(1))
}

func stream(driver neo4j.DriverWithContext) {
	session := driver.NewSession(ctx, neo4j.SessionConfig{FetchSize: 1000})
	defer session.Close(ctx)
	result, err := session.Run(ctx, "UNWIND range(1, 50000) AS x RETURN x", nil)
	must(err)
	total := int64(0)
	for result.Next(ctx) {
		total += result.Record().Values[0].(int64)
	}
	must(result.Err())
	check(total == 50000*50001/2, total)
}

func timeouts(driver neo4j.DriverWithContext) {
	session := driver.NewSession(ctx, neo4j.SessionConfig{})
	defer session.Close(ctx)
	result, err := session.Run(ctx, slow, nil, neo4j.WithTxTimeout(200*time.Millisecond))
	if err == nil {
		_, err = result.Consume(ctx)
	}
	check(strings.Contains(code(err), "TransactionTimedOut"), err)
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	result, err = session.Run(short, slow, nil)
	if err == nil {
		_, err = result.Consume(short)
	}
	check(err != nil)
	run(driver, "RETURN 1", nil)
}

func values(driver neo4j.DriverWithContext) {
	zone := time.FixedZone("Offset", 7200)
	named, err := time.LoadLocation("Europe/Stockholm")
	must(err)
	for _, value := range []any{
		nil, true, int64(1)<<62 - 1, int64(-17), 1.5, "å🙂", []any{int64(1), []any{"x"}},
		map[string]any{"a": nil}, []byte{1, 255},
		dbtype.Duration{Months: 1, Days: 2, Seconds: 3, Nanos: 4},
		dbtype.Point2D{X: 1.5, Y: 2.5, SpatialRefId: 7203},
		dbtype.Point3D{X: 1.5, Y: 2.5, Z: 3.5, SpatialRefId: 4979},
	} {
		back := run(driver, "RETURN $v AS v", map[string]any{"v": value}).Records[0].Values[0]
		check(reflect.DeepEqual(back, value), value, " came back as ", back)
	}
	for _, value := range []time.Time{
		time.Date(2024, 7, 1, 1, 2, 3, 4, zone), time.Date(2024, 7, 1, 1, 2, 3, 4, named),
	} {
		back := run(driver, "RETURN $v AS v", map[string]any{"v": value}).Records[0].Values[0].(time.Time)
		check(back.Equal(value), value, " came back as ", back)
	}
	date := dbtype.Date(time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC))
	back := run(driver, "RETURN $v AS v", map[string]any{"v": date}).Records[0].Values[0].(dbtype.Date)
	check(back.Time().Equal(date.Time()), back)
}

func elements(driver neo4j.DriverWithContext) {
	row := run(driver, "CREATE p = (a:GoWalk {n: 'a'})-[r:TO {w: 1.5}]->(b:GoWalk)<-[:TO]-(:GoWalk) RETURN p, a, r", nil).Records[0]
	path, node, link := row.Values[0].(dbtype.Path), row.Values[1].(dbtype.Node), row.Values[2].(dbtype.Relationship)
	check(len(path.Relationships) == 2 && len(path.Nodes) == 3)
	check(node.Labels[0] == "GoWalk" && link.StartElementId == node.ElementId)
	run(driver, "MATCH (n:GoWalk) DETACH DELETE n", nil)
}

func errors(driver neo4j.DriverWithContext) {
	_, err := neo4j.ExecuteQuery(ctx, driver, "RETURN 1 +", nil, neo4j.EagerResultTransformer)
	check(code(err) == "Neo.ClientError.Statement.SyntaxError", err)
	session := driver.NewSession(ctx, neo4j.SessionConfig{AccessMode: neo4j.AccessModeRead})
	defer session.Close(ctx)
	result, err := session.Run(ctx, "CREATE ()", nil)
	if err == nil {
		_, err = result.Consume(ctx)
	}
	check(code(err) == "Neo.ClientError.Statement.AccessMode", err)
}

func try(name string, call func(neo4j.DriverWithContext)) (failed int) {
	driver := open("neo4j")
	defer driver.Close(ctx)
	defer func() {
		if problem := recover(); problem != nil {
			fmt.Println("FAILED", name, problem)
			failed = 1
		}
	}()
	call(driver)
	fmt.Println("ok", name)
	return 0
}

func main() {
	port, secured = os.Args[1], os.Args[2]
	failed := try("connect", connect) + try("auth", auth) + try("counters", counters) +
		try("conflict", conflict) + try("bookmarks", bookmarks) + try("stream", stream) +
		try("timeouts", timeouts) + try("values", values) + try("elements", elements) + try("errors", errors)
	if failed > 0 {
		os.Exit(1)
	}
}
