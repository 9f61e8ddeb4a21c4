// A program for the tests in network namespaces: it serves or calls, in the namespace and as the user that it is
// started in, and tells in lines of JSON what it saw.
//
//   peer.ts serve HOST PORT       answers HTTP requests with whom it sees at the other end
//   peer.ts call URL [SOURCE]     one request on a connection of its own, from the address SOURCE
//   peer.ts ask URL HEADERS       one GET with headers, given as JSON; prints status and body, or the error
//   peer.ts session URL           one request on the same connection for every line of standard input
//   peer.ts say HOST PORT TEXT    sends TEXT, which is JSON, as it is, and tells who answered
//   peer.ts udp-serve HOST PORT   sends datagrams back
//   peer.ts udp-call HOST PORT    sends one and waits for it

import { createSocket } from 'node:dgram'
import { Agent, createServer, get } from 'node:http'
import { connect, isIPv6 } from 'node:net'
import { createInterface } from 'node:readline'

const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

/** What became of a request that was made for its body. */
export interface Response {
  readonly status?: number
  readonly body?: string
  readonly error?: string
}

/** What became of a request. */
export interface Answer {
  readonly error?: string
  /** The port of the proxy's listener that answered, or `app` for a server of this program. */
  readonly by?: string
  /** Where the one who answered was reached, or meant to be: the original destination. */
  readonly destination?: string
  /** The address that a server of this program saw at the other end. */
  readonly from?: string
  /** Of an answer to `say`. */
  readonly status?: string
  /** The port of this end. */
  readonly localPort?: number
}

function request(url: string, agent: Agent, localAddress?: string): Promise<Answer> {
  return new Promise(resolve => {
    let localPort: number | undefined
    const call = get(url, { agent, timeout: 10_000, ...(localAddress ? { localAddress } : {}) }, response => {
      const { 'x-by': by, 'x-destination': destination, 'x-from': from } = response.headers as Record<string, string>
      response.resume().on('end', () => resolve({ ...{ by, destination, from }, localPort: localPort ?? 0 } as Answer))
    })
    call.on('socket', socket => {
      const note = (): void => {
        localPort = socket.localPort
      }
      if (socket.connecting) socket.once('connect', note)
      else note()
    })
    call.on('timeout', () => call.destroy(Object.assign(new Error('no answer'), { code: 'TIMEOUT' })))
    call.on('error', (error: NodeJS.ErrnoException) => resolve({ error: error.code ?? error.message }))
  })
}

/** Of what comes back as text: the headers of a server of this program, or the status of somebody else. */
function answerTo(host: string, port: number, text: string): Promise<Answer> {
  return new Promise(resolve => {
    let all = ''
    const socket = connect({ host, port, timeout: 10_000 }, () => socket.write(text))
    const settle = (error?: string): void => {
      socket.destroy()
      const by = /^x-by: (.*)$/im.exec(all)?.[1]?.trim()
      const status = /^HTTP\/1\.[01] (\d{3})/.exec(all)?.[1]
      resolve({
        ...(by === undefined ? {} : { by }),
        ...(status === undefined ? {} : { status }),
        ...(error === undefined ? {} : { error })
      })
    }
    socket.on('data', part => {
      all += part.toString('latin1')
      if (all.includes('\r\n\r\n')) settle()
    })
    socket.on('timeout', () => settle('TIMEOUT'))
    socket.on('error', (error: NodeJS.ErrnoException) => settle(error.code ?? error.message))
    socket.on('close', () => settle('CLOSED'))
  })
}

const bare = (address: string | undefined): string => (address ?? '').replace(/^::ffff:/, '')

async function main([mode, first = '', second, third = '']: readonly string[]): Promise<void> {
  switch (mode) {
    case 'serve': {
      const server = createServer((incoming, response) => {
        const { localAddress, localPort, remoteAddress } = incoming.socket
        response.setHeader('x-by', 'app')
        response.setHeader('x-destination', `${bare(localAddress)}:${localPort}`)
        response.setHeader('x-from', bare(remoteAddress))
        response.end('ok')
      })
      server.keepAliveTimeout = 600_000
      server.listen({ host: first, port: Number(second) }, () => say({ ready: true }))
      return
    }
    case 'call':
      say(await request(first, new Agent(), second))
      return
    case 'ask': {
      const agent = new Agent()
      const call = get(first, { agent, timeout: 10_000, headers: JSON.parse(second ?? '{}') }, async response => {
        let body = ''
        for await (const part of response.setEncoding('utf8')) body += part
        say({ status: response.statusCode, body })
      })
      call.on('timeout', () => call.destroy(Object.assign(new Error('no answer'), { code: 'TIMEOUT' })))
      call.on('error', (error: NodeJS.ErrnoException) => say({ error: error.code ?? error.message }))
      return
    }
    case 'session': {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      for await (const _ of createInterface(process.stdin)) say(await request(first, agent))
      agent.destroy()
      return
    }
    case 'say':
      say(await answerTo(first, Number(second), JSON.parse(third)))
      return
    case 'udp-serve': {
      const socket = createSocket(isIPv6(first) ? 'udp6' : 'udp4')
      socket.on('message', (message, { port, address }) => socket.send(message, port, address))
      socket.bind(Number(second), first, () => say({ ready: true }))
      return
    }
    case 'udp-call': {
      const socket = createSocket(isIPv6(first) ? 'udp6' : 'udp4')
      const timer = setTimeout(() => {
        say({ error: 'TIMEOUT' })
        socket.close()
      }, 10_000)
      socket.on('message', (_message, { address, port }) => {
        clearTimeout(timer)
        say({ by: 'app', destination: `${address}:${port}` })
        socket.close()
      })
      socket.send('x', Number(second), first)
      return
    }
    default:
      throw new TypeError(`no mode ${mode}`)
  }
}

if (import.meta.main) await main(process.argv.slice(2))
