import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { type Answer, Answers } from './answer.ts'
import { type Conversation, callOnce, type Hear, type Kind, type Listening } from './kind.ts'

/** Lines of bytes of which the client says the first. */
export const tcp: Kind = {
  port: 8084,
  serve: (port, hear) => serve(port, hear, () => {}),
  call: (address, port, text) => callOnce(conversation(address, port), text),
  open: conversation
}

/** The same, where the server speaks first: nothing can be told from what the client says. */
export const tcpGreeting: Kind = {
  port: 8085,
  serve: (port, hear) => serve(port, hear, socket => say(socket, answerTo(socket, 'greeting'))),
  call: (address, port, text) => callOnce(greeted(address, port), text),
  open: greeted
}

function serve(port: number, hear: Hear, greet: (socket: Socket) => void): Listening {
  const server = createServer(socket => {
    socket.on('error', () => socket.destroy())
    greet(socket)
    let isFirst = true
    onLines(socket, line => {
      const answer = answerTo(socket, line)
      if (isFirst) hear(answer)
      isFirst = false
      say(socket, answer)
    })
  })
  return server.listen(port)
}

// The interface repeats the errors of the socket, which are looked at there.
const onLines = (socket: Socket, heard: (line: string) => void): unknown =>
  createInterface(socket)
    .on('line', heard)
    .on('error', () => {})

const answerTo = (socket: Socket, echo: string): Answer => ({
  echo,
  clientCertificate: null,
  source: socket.remoteAddress ?? ''
})

const say = (socket: Socket, answer: Answer): boolean => socket.write(`${JSON.stringify(answer)}\n`)

interface Client extends Conversation {
  readonly answers: Answers
}

async function conversation(address: string, port: number): Promise<Client> {
  const socket = connect(port, address)
  await once(socket, 'connect')
  socket.setNoDelay(true)
  const answers = new Answers()
  onLines(socket, line => answers.came(line))
  socket.on('error', error => answers.end(error))
  socket.on('close', () => answers.end(new Error('the connection was closed by the server')))
  return {
    answers,
    exchange(text) {
      const answer = answers.next()
      socket.write(`${text}\n`)
      return answer
    },
    close: () => socket.destroy()
  }
}

async function greeted(address: string, port: number): Promise<Conversation> {
  const client = await conversation(address, port)
  await client.answers.next().catch(error => {
    client.close()
    throw error
  })
  return client
}
