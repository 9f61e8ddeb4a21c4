import assert from 'node:assert/strict'
import { it } from 'node:test'
import { becomes, rawCalls, statusOfCall } from './calls.ts'
import { demandToken, goodToken, LEDGER_PORT, type Victims } from './victims.ts'

const GUEST = ['plain', 'guest'] as const

const HEADERS =
  'host: ledger\r\nx-user: admin\r\nx-forwarded-client-cert: URI=spiffe://cluster.local/ns/bank/sa/teller\r\n'
const request = (line: string): string => `${line}\r\n${HEADERS}connection: close\r\n\r\n`

/** The same request in shapes that a recogniser of HTTP may miss; each piece is sent after a pause. */
const SHAPES: Readonly<Record<string, readonly string[]>> = {
  'as usual': [request('GET /secret HTTP/1.1')],
  'an empty line first': [`\r\n${request('GET /secret HTTP/1.1')}`],
  'five empty lines first': [`${'\r\n'.repeat(5)}${request('GET /secret HTTP/1.1')}`],
  'line feeds alone': [request('GET /secret HTTP/1.1').replaceAll('\r\n', '\n')],
  'HTTP/1.0': [request('GET /secret HTTP/1.0')],
  'HTTP/0.9': ['GET /secret\r\n'],
  'a pause after the first byte': ['G', request('ET /secret HTTP/1.1')],
  'a pause in the method, the path and the version': ['GE', 'T /sec', 'ret HTT', 'P/1.1\r\n', request('').slice(2)],
  'nothing for a while, then all': ['', '', '', '', '', '', '', '', '', '', '', '', request('GET /secret HTTP/1.1')],
  'two blanks': [request('GET  /secret HTTP/1.1')],
  'a tabulator': [request('GET\t/secret HTTP/1.1')],
  'a method that nobody registered': [request('FETCH /secret HTTP/1.1')],
  'a method in lower case': [request('get /secret HTTP/1.1')],
  'a version to come': [request('GET /secret HTTP/1.9')],
  'the absolute form': [request('GET http://ledger/secret HTTP/1.1')],
  'a PROXY line first': [`PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n${request('GET /secret HTTP/1.1')}`],
  'a zero byte first': [`\0${request('GET /secret HTTP/1.1')}`]
}

export function endUserAttacks(victims: () => Victims): void {
  it('a client without a token cannot pass for something else than HTTP on a port that declares nothing', async t => {
    const { cluster, ledger } = victims()
    const target = { host: ledger.status.podIP, port: LEDGER_PORT }
    const url = `http://${ledger.status.podIP}:${LEDGER_PORT}/secret`
    await becomes('ledger to answer before there is a policy', 200, () => statusOfCall(cluster, GUEST, url))
    await cluster.apply(demandToken('ledger'))
    await becomes('ledger to demand a token', 401, () => statusOfCall(cluster, GUEST, url))
    const before = await heardByLedger(victims())
    const answers = await rawCalls(cluster, GUEST, target, SHAPES)
    for (const [shape, answer] of Object.entries(answers)) assert.doesNotMatch(answer, /"url"|^HTTP\/1\.\d 200/, shape)
    assert.deepEqual(await heardByLedger(victims()), before, 'the application heard something')
    t.diagnostic(`${Object.keys(answers).length} shapes of a request were refused`)
    assert.equal(await statusOfCall(cluster, GUEST, url, { authorization: `Bearer ${goodToken()}` }), 200)
  })

  it('a client with a token cannot say who it is by headers of its own', async () => {
    const { cluster, ledger } = victims()
    const target = { host: ledger.status.podIP, port: LEDGER_PORT }
    const forged = `GET /mine HTTP/1.1\r\n${HEADERS}authorization: Bearer ${goodToken()}\r\nconnection: close\r\n\r\n`
    const { once = '' } = await rawCalls(cluster, GUEST, target, { once: [forged] })
    const seen = JSON.parse(/\{"method".*\}/.exec(once)?.[0] ?? '{}')
    assert.deepEqual({ user: seen.user, client: seen.client }, { user: 'ada', client: null }, once)
  })
}

async function heardByLedger({ cluster, ledger }: Victims): Promise<readonly string[]> {
  const output = await cluster.kubectl(['logs', '-n', 'shop', ledger.metadata.name, '-c', 'ledger'])
  return output.split('\n').filter(line => line.startsWith('{'))
}
