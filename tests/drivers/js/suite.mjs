// What a program does with Neo4j's JavaScript driver. node suite.mjs PORT SECURED_PORT
import assert from 'node:assert/strict'
import neo4j from 'neo4j-driver'

const [port, secured] = process.argv.slice(2)
const open = (scheme = 'bolt', config = {}) =>
  neo4j.driver(`${scheme}://127.0.0.1:${port}`, undefined, config)
const cases = {}

async function within (driver, work, config = {}) {
  const session = driver.session(config)
  try {
    return await work(session)
  } finally {
    await session.close()
  }
}

cases.connect = async () => {
  for (const scheme of ['bolt', 'neo4j']) {
    const driver = open(scheme)
    const info = await driver.getServerInfo()
    assert.match(info.agent, /^Neo4j\//)
    const { records } = await driver.executeQuery('RETURN 1 AS one')
    assert.equal(records[0].get('one').toNumber(), 1)
    await driver.close()
  }
}

cases.auth = async () => {
  const good = neo4j.driver(`neo4j://127.0.0.1:${secured}`, neo4j.auth.basic('neo4j', 'correct horse'))
  await good.verifyConnectivity()
  await good.close()
  const bad = neo4j.driver(`neo4j://127.0.0.1:${secured}`, neo4j.auth.basic('neo4j', 'wrong'))
  await assert.rejects(bad.verifyConnectivity(), { code: 'Neo.ClientError.Security.Unauthorized' })
  await bad.close()
}

cases.counters = async driver => {
  const { summary } = await driver.executeQuery('CREATE (:Js {x: 1})-[:R]->(:Js)')
  assert.equal(summary.counters.updates().nodesCreated, 2)
  assert.equal(summary.queryType, 'w')
  await driver.executeQuery('MATCH (n:Js) DETACH DELETE n')
}

cases.conflict = async driver => {
  await driver.executeQuery('CREATE (:JsCounter {x: 0})')
  let attempts = 0
  await within(driver, session => session.executeWrite(async tx => {
    attempts += 1
    await tx.run('MATCH (c:JsCounter) RETURN c.x')
    if (attempts === 1) await driver.executeQuery('MATCH (c:JsCounter) SET c.x = c.x + 10')
    await tx.run('MATCH (c:JsCounter) SET c.x = c.x + 1')
  }))
  assert.equal(attempts, 2)
  const { records } = await driver.executeQuery('MATCH (c:JsCounter) WITH c, c.x AS x DELETE c RETURN x')
  assert.equal(records[0].get('x').toNumber(), 11)
}

cases.transactions = async driver => within(driver, async session => {
  const tx = await session.beginTransaction()
  await tx.run('CREATE (:JsTx)')
  await tx.rollback()
  const result = await session.run('MATCH (n:JsTx) RETURN count(n) AS n')
  assert.equal(result.records[0].get('n').toNumber(), 0)
})

cases.bookmarks = async driver => {
  const marks = await within(driver, async session => {
    await session.executeWrite(tx => tx.run('CREATE (:JsMark)'))
    return session.lastBookmarks()
  })
  await within(driver, async session => {
    const result = await session.run('MATCH (n:JsMark) DELETE n RETURN count(n) AS n')
    assert.equal(result.records[0].get('n').toNumber(), 1)
  }, { bookmarks: marks })
}

cases.stream = async driver => within(driver, async session => {
  let total = 0
  for await (const record of session.run('UNWIND range(1, 50000) AS x RETURN x')) total += record.get('x').toNumber()
  assert.equal(total, 50000 * 50001 / 2)
}, { fetchSize: 1000 })

// closing a session that still streams sends RESET
cases.reset = async driver => {
  const started = Date.now()
  for (let turn = 0; turn < 5; turn++) {
    const session = driver.session({ fetchSize: 10 })
    await new Promise((resolve, reject) => {
      let seen = 0
      session.run('UNWIND range(1, 10000000) AS x RETURN x').subscribe({
        onNext: () => { seen += 1; if (seen === 15) resolve() },
        onError: reject
      })
    })
    await session.close()
  }
  const long = 'UNWIND range(1, 10000) AS x UNWIND range(1, 10000) AS y WITH x, y WHERE x + y < 0 RETURN x'
  const session = driver.session()
  const running = session.run(long).then(() => 'ended', error => error.code ?? 'error')
  await new Promise(resolve => setTimeout(resolve, 200))
  await session.close()
  assert.notEqual(await running, 'ended')
  await driver.executeQuery('RETURN 1')
  assert.ok(Date.now() - started < 30000)
}

cases.timeout = async driver => within(driver, async session => {
  const long = 'UNWIND range(1, 10000) AS x UNWIND range(1, 10000) AS y WITH x, y WHERE x + y < 0 RETURN x'
  await assert.rejects(session.run(long, {}, { timeout: 200 }), { code: /TransactionTimedOut/ })
})

cases.values = async driver => {
  const values = [
    null, true, false, neo4j.int('9223372036854775807'), neo4j.int(-17), 1.5, 'å🙂', [neo4j.int(1), ['x']],
    { a: { b: null } }, new Int8Array([1, -2]),
    new neo4j.types.Date(2024, 2, 29), new neo4j.types.LocalTime(1, 2, 3, 4), new neo4j.types.Time(1, 2, 3, 4, 3600),
    new neo4j.types.LocalDateTime(2024, 2, 29, 1, 2, 3, 4), new neo4j.types.DateTime(2024, 2, 29, 1, 2, 3, 4, 3600),
    new neo4j.types.Duration(1, 2, 3, 4), new neo4j.types.Point(neo4j.int(7203), 1.5, 2.5), new neo4j.types.Point(neo4j.int(4979), 1.5, 2.5, 3.5)
  ]
  for (const value of values) {
    const { records } = await driver.executeQuery('RETURN $v AS v', { v: value })
    const back = records[0].get('v')
    if (value?.toString && typeof value === 'object' && !Array.isArray(value) && !(value instanceof Int8Array) && value.constructor !== Object) {
      assert.equal(back.toString(), value.toString())
    } else assert.deepEqual(back, value)
  }
}

cases.elements = async driver => {
  const { records } = await driver.executeQuery(
    "CREATE p = (a:JsWalk {n: 'a'})-[r:TO {w: 1.5}]->(b:JsWalk)<-[:TO]-(:JsWalk) RETURN p, a, r")
  const [path, node, link] = ['p', 'a', 'r'].map(key => records[0].get(key))
  assert.deepEqual(node.labels, ['JsWalk'])
  assert.equal(link.startNodeElementId, node.elementId)
  assert.equal(path.length, 2)
  assert.equal(path.segments[1].relationship.type, 'TO')
  await driver.executeQuery('MATCH (n:JsWalk) DETACH DELETE n')
}

cases.errors = async driver => {
  await assert.rejects(driver.executeQuery('RETURN 1 +'), { code: 'Neo.ClientError.Statement.SyntaxError' })
  await assert.rejects(driver.executeQuery('RETURN $missing'), { code: /ParameterMissing/ })
  await within(driver, async session => {
    await assert.rejects(session.run('CREATE (:No)'), { code: 'Neo.ClientError.Statement.AccessMode' })
  }, { defaultAccessMode: neo4j.session.READ })
}

let failures = 0
for (const [name, run] of Object.entries(cases)) {
  const driver = open('neo4j')
  try {
    await run(driver)
    console.log(`ok ${name}`)
  } catch (error) {
    failures += 1
    console.log(`FAILED ${name}\n${error.stack}`)
  } finally {
    await driver.close()
  }
}
process.exit(failures ? 1 : 0)
