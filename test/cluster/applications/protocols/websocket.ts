import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { Duplex } from 'node:stream'
import { Answers } from './answer.ts'
import { answerTo } from './http.ts'
import { type Conversation, callOnce, type Kind } from './kind.ts'

// RFC 6455, section 1.3.
const HANDSHAKE_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const TEXT = 0x1
const CLOSE = 0x8

/** WebSockets: an echo of short text messages. */
export const websocket: Kind = {
  port: 8083,
  serve(port, hear) {
    const server = createServer((_, response) => response.writeHead(426).end())
    server.on('upgrade', (request, socket) => {
      const key = createHash('sha1')
        .update(`${request.headers['sec-websocket-key']}${HANDSHAKE_SUFFIX}`)
        .digest('base64')
      const lines = ['connection: upgrade', 'upgrade: websocket', `sec-websocket-accept: ${key}`]
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`)
      let isFirst = true
      onMessages(socket, text => {
        const answer = answerTo(request, text)
        if (isFirst) hear(answer)
        isFirst = false
        socket.write(frame(TEXT, Buffer.from(JSON.stringify(answer))))
      })
    })
    return server.listen(port)
  },
  call: (address, port, text) => callOnce(conversation(address, port), text),
  open: conversation
}

/** Calls `heard` with each text message of a client; ends with the client. RFC 6455, sections 5.2 and 5.5.1. */
function onMessages(socket: Duplex, heard: (text: string) => void): void {
  let bytes = Buffer.alloc(0)
  socket.on('error', () => socket.destroy())
  socket.on('end', () => socket.end())
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk])
    for (let next = takeFrame(bytes); next !== undefined; next = takeFrame(bytes)) {
      bytes = next.rest
      if (next.opcode === TEXT) heard(String(next.payload))
      else if (next.opcode === CLOSE) socket.end(frame(CLOSE, next.payload))
    }
  })
}

interface Frame {
  readonly opcode: number
  readonly payload: Buffer
  readonly rest: Buffer<ArrayBuffer>
}

/** The first frame, unmasked, of what a client sent; undefined until it is whole. */
function takeFrame(bytes: Buffer<ArrayBuffer>): Frame | undefined {
  if (bytes.length < 2) return undefined
  const [opcode, short] = [bytes.readUInt8(0) & 0x0f, bytes.readUInt8(1) & 0x7f]
  const extended = short === 126 ? 2 : 0
  const start = 2 + extended + 4
  if (bytes.length < start) return undefined
  const end = start + (extended === 0 ? short : bytes.readUInt16BE(2))
  if (bytes.length < end) return undefined
  const mask = bytes.subarray(start - 4, start)
  const payload = Buffer.from(bytes.subarray(start, end).map((byte, index) => byte ^ (mask[index % 4] ?? 0)))
  return { opcode, payload, rest: bytes.subarray(end) }
}

/** A whole message of a server; at most 65,535 bytes. */
function frame(opcode: number, payload: Buffer): Buffer {
  const { length } = payload
  const header = length < 126 ? [length] : [126, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([0x80 | opcode, ...header]), payload])
}

async function conversation(address: string, port: number): Promise<Conversation> {
  const socket = new WebSocket(`ws://${address}:${port}/`)
  const answers = new Answers()
  socket.addEventListener('message', ({ data }) => answers.came(String(data)))
  socket.addEventListener('close', ({ code }) => answers.end(new Error(`the WebSocket was closed with ${code}`)))
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve(), { once: true })
    socket.addEventListener('error', () => reject(new Error('the WebSocket was not opened')), { once: true })
  })
  return {
    exchange(text) {
      const answer = answers.next()
      socket.send(text)
      return answer
    },
    close: () => socket.close()
  }
}
