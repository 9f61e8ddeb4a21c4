import { until } from '../../../../cli/local/index.ts'
import type { Cluster } from '../../index.ts'
import { answerTo } from '../shop.ts'

/** The status of one call by an application, or how it failed. */
export async function statusOfCall(
  cluster: Cluster,
  [namespace, app]: readonly [namespace: string, app: string],
  url: string,
  headers: Readonly<Record<string, string>> = {}
): Promise<number | string> {
  const answer = await answerTo(cluster, namespace, app, url, headers)
  return typeof answer === 'string' ? answer : answer.status
}

/** Waits until an attempt comes to what is expected; what it came to last is in the error. */
export async function becomes<T>(what: string, expected: T, attempt: () => Promise<T>): Promise<void> {
  let last: T | undefined
  const same = async (): Promise<true | undefined> => {
    last = await attempt()
    return JSON.stringify(last) === JSON.stringify(expected) || undefined
  }
  await until(what, same, { timeoutMs: 60_000 }).catch(cause => {
    throw new Error(`${what}: expected ${JSON.stringify(expected)}, it was ${JSON.stringify(last)}`, { cause })
  })
}

/** Bytes that are written one after the other, with a pause after each, and what came back. */
export async function rawCalls(
  cluster: Cluster,
  [namespace, app]: readonly [namespace: string, app: string],
  target: { readonly host: string; readonly port: number },
  requests: Readonly<Record<string, readonly string[]>>
): Promise<Readonly<Record<string, string>>> {
  const script = `const { connect } = require('node:net')
    const requests = ${JSON.stringify(requests)}
    const ask = pieces => new Promise(resolve => {
      const socket = connect(${JSON.stringify(target)})
      let heard = ''
      const end = () => { socket.destroy(); resolve(heard) }
      socket.on('data', data => { heard += data.toString('latin1') })
      socket.on('error', error => { heard += '[' + error.code + ']' })
      socket.on('close', () => resolve(heard))
      socket.on('connect', async () => {
        for (const piece of pieces) {
          socket.write(Buffer.from(piece, 'latin1'))
          await new Promise(done => setTimeout(done, 200))
        }
        setTimeout(end, 4_000)
      })
      setTimeout(end, 20_000)
    })
    Promise.all(Object.entries(requests).map(async ([name, pieces]) => [name, await ask(pieces)]))
      .then(all => console.log(JSON.stringify(Object.fromEntries(all))))`
  const pod = ['-n', namespace, `deployment/${app}`, '-c', app]
  return JSON.parse(await cluster.kubectl(['exec', ...pod, '--', 'node', '-e', script]))
}
