// An application of the cluster suite that has a certificate of its own in files: it calls a server over mutual TLS,
// request after request, verifies who that is, and reads the files again for every connection.
//
// Its log has a line for each second, with all that happened so far.
//
//   main.ts URL SPIFFE-ID FOLDER

import { Agent } from 'node:https'
import { setTimeout as pause } from 'node:timers/promises'
import { type Answered, type CallTarget, ClosedError, call } from './call.ts'
import type { PemClientReport } from './report.ts'

const PAUSE_MS = 40

const [url = '', server = '', folder = ''] = process.argv.slice(2)
const target: CallTarget = { url, server, folder }
const answered = { kept: 0, new: 0 }
const failures: string[] = []
const serverSerials = new Set<string>()
const clientSerials = new Set<string>()
const clients = new Set<string>()
let repeated = 0

function note({ serverSerial, clientSerial, client }: Answered): void {
  serverSerials.add(serverSerial)
  clientSerials.add(clientSerial)
  clients.add(client)
}

/** One request after the other, over connections that are kept or by a new one for each. */
async function load(kind: keyof typeof answered): Promise<never> {
  const agent = new Agent({ keepAlive: kind === 'kept', maxCachedSessions: 0 })
  const repeat = (thrown: unknown): Promise<Answered> => {
    if (!(thrown instanceof ClosedError)) throw thrown
    repeated++
    return call(target, agent)
  }
  for (; ; await pause(PAUSE_MS))
    try {
      note(await call(target, agent).catch(repeat))
      answered[kind]++
    } catch (thrown) {
      failures.push(`${new Date().toISOString()} ${kind}: ${thrown}`)
    }
}

setInterval(() => {
  const report: PemClientReport = {
    answered,
    repeated,
    failures: failures.slice(0, 10),
    failed: failures.length,
    serverSerials: [...serverSerials],
    clientSerials: [...clientSerials],
    clients: [...clients]
  }
  console.log(JSON.stringify(report))
}, 1_000)

await Promise.all([load('kept'), load('new')])
